"""Optimizers, their schedule, and the clipping of gradients."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from muybridge.training.config import OptimizerConfig

NORM_MEMORY = 0.99  # decay of adaptive clipping's moments: some hundred steps, as in Open-Sora-Plan 1.5
NUM_FIRST_NORMS = 20  # convention: fewer norms tell no deviation


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


class Clipping:
    """Scales gradients down to a largest norm: a fixed one, or one learnt from the norms so far.

    Adaptive: mean and deviation of the norms of past steps, as exponential averages; a clipped norm enters them at what
    it was clipped to, so that an outlier does not raise the limit.   Open-Sora-Plan 1.5.
    """

    def __init__(self, config: OptimizerConfig):
        self.config = config
        self.moments = torch.zeros(3, dtype=torch.float64)  # of the norm: number seen, mean, mean square

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Tensor:
        """The gradients' norm before they were clipped, in place."""
        limit = self.limit()
        norm = nn.utils.clip_grad_norm_(parameters, limit)
        if self.config.clip == "adaptive":
            self._remember(min(float(norm), limit))
        return norm

    def limit(self) -> float:
        """The largest norm that the next step lets through."""
        seen, mean, square = self.moments.tolist()
        if self.config.clip == "fixed" or seen < NUM_FIRST_NORMS:
            return self.config.max_grad_norm
        return mean + self.config.clip_sigmas * math.sqrt(max(0.0, square - mean**2))

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps; filled in place when it is loaded."""
        return {"moments": self.moments} if self.config.clip == "adaptive" else {}

    def _remember(self, norm: float) -> None:
        if not math.isfinite(norm):
            return
        self.moments[0] += 1
        share = max(1 - NORM_MEMORY, 1 / float(self.moments[0]))  # a plain mean at first
        self.moments[1:].lerp_(torch.tensor([norm, norm**2], dtype=torch.float64), share)


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


def optimized(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """The model's parameters that `optimizer` moves, in the order of its state."""
    if isinstance(optimizer, MatrixMuon):
        return optimizer.weights
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def state_bytes(optimizer: torch.optim.Optimizer) -> int:
    """Bytes of the state once every parameter has been moved: two moments, or Muon's one."""
    moments = 1 if isinstance(optimizer, MatrixMuon) else 2
    return moments * sum(parameter.nbytes for parameter in optimized(optimizer))


def _holds(name: str, parts: tuple[str, ...]) -> bool:
    return any(part in name for part in parts)


def lr_scale(step: int, num_steps: int, config: OptimizerConfig) -> float:
    """Linear warm-up from the first step, then 1, then down to zero over the last `decay_steps`."""
    scale = min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.decay_steps:
        left = min(1.0, max(0.0, (num_steps - step) / config.decay_steps))
        scale = min(scale, left if config.decay == "linear" else 0.5 - 0.5 * math.cos(math.pi * left))
    return max(0.0, scale)


def set_lr(optimizers: list[torch.optim.Optimizer], scale: float) -> None:
    """Set every group's rate to its first rate times `scale`."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("first_lr", group["lr"])
            group["lr"] = group["first_lr"] * scale
