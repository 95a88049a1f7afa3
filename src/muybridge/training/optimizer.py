"""Optimizers and their schedule."""

import torch
from torch import nn

from muybridge.training.config import OptimizerConfig


def build_optimizers(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """The optimizers of a run; Muon takes the matrices inside blocks, AdamW all else (arXiv 2502.16982)."""
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    is_hidden = {name: config.kind == "muon" and p.ndim == 2 and "blocks" in name for name, p in parameters}
    is_slow = {name: any(part in name for part in config.slow_names) for name, _ in parameters}
    groups = [
        {"params": [p for name, p in parameters if not is_hidden[name] and is_slow[name] == slow], "lr": lr}
        for slow, lr in ((False, config.lr), (True, config.lr * config.slow_share))
    ]
    groups = [group for group in groups if group["params"]]
    adamw = torch.optim.AdamW(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)
    hidden = [p for name, p in parameters if is_hidden[name]]
    if not hidden:
        return [adamw]
    return [adamw, torch.optim.Muon(hidden, lr=config.matrix_lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")]


def lr_scale(step: int, num_steps: int, config: OptimizerConfig) -> float:
    """Linear warm-up from the first step, then 1, then linear to zero over the last `decay_steps`."""
    scale = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.decay_steps:
        scale = min(scale, (num_steps - step) / config.decay_steps)
    return max(0.0, scale)


def set_lr(optimizers: list[torch.optim.Optimizer], scale: float) -> None:
    """Set every group's rate to its first rate times `scale`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("first_lr", group["lr"])
            group["lr"] = group["first_lr"] * scale
