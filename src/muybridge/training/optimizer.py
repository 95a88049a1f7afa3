"""Optimizers and their schedule."""

from collections.abc import Sequence

import torch
from torch import nn

from muybridge.training.config import OptimizerConfig


class MatrixMuon(torch.optim.Muon):
    """Muon over weights of two or more dimensions, each seen as a matrix of outputs by inputs."""

    def __init__(self, weights: Sequence[nn.Parameter], *, lr: float):
        self.weights = list(weights)
        matrices = [nn.Parameter(weight.detach().flatten(1)) for weight in self.weights]  # views: one memory
        super().__init__(matrices, lr=lr, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move the weights by their own gradients."""
        for matrix, weight in zip(self.param_groups[0]["params"], self.weights, strict=True):
            matrix.grad = None if weight.grad is None else weight.grad.flatten(1)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the weights' gradients."""
        super().zero_grad(set_to_none)
        for weight in self.weights:
            weight.grad = None


def build_optimizers(model: nn.Module, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """The optimizers of a run; Muon takes the named matrices, AdamW all else (arXiv 2502.16982)."""
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    matrices = [name for name, p in named.items() if p.ndim > 1 and _holds(name, config.matrix_names)]
    if config.kind == "adamw":
        matrices = []
    rest = [name for name in named if name not in matrices]
    groups = [
        {"params": [named[name] for name in rest if _holds(name, config.slow_names) == is_slow], "lr": lr}
        for is_slow, lr in ((False, config.lr), (True, config.lr * config.slow_share))
    ]
    groups = [group for group in groups if group["params"]]
    adamw = torch.optim.AdamW(groups, betas=config.betas, weight_decay=config.weight_decay, fused=True)
    return [adamw, MatrixMuon([named[name] for name in matrices], lr=config.matrix_lr)] if matrices else [adamw]


def _holds(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


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
