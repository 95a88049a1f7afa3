"""What every training run has: steps, batch, optimizer, averaging, checkpoints."""

from dataclasses import dataclass, field
from typing import Literal

from muybridge.core.errors import invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW, or Muon on the hidden matrices with AdamW on the rest; warm-up, constant, linear decay at the end."""

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 1e-3
    matrix_lr: float = 3e-3  # Muon's, scaled to AdamW's RMS; unused by "adamw"
    matrix_names: tuple[str, ...] = ("blocks",)  # Muon takes weights, not vectors, whose names hold one of these
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0
    warmup_steps: int = 50
    decay_steps: int = 0  # the last steps of the run, down to zero
    max_grad_norm: float = 1.0
    slow_names: tuple[str, ...] = ()  # parameters whose names hold one of these learn at slow_share of the rate
    slow_share: float = 0.03

    def __post_init__(self) -> None:
        for name in ("lr", "matrix_lr", "max_grad_norm"):
            if not getattr(self, name) > 0:
                raise invalid(f"{name}={getattr(self, name)}", "must be positive", "use 1e-3, or 1.0 for the norm")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """One stage of training. Everything random is a function of (seed, step), so a resumed run is the same run."""

    seed: int = 0
    num_steps: int = 1000
    batch_size: int = 8
    ema_decay: float = 0.998  # ramped up from zero over the first steps
    is_bf16: bool = True  # autocast; weights and optimizer stay float32
    log_every_steps: int = 20
    checkpoint_every_steps: int = 200
    validate_every_steps: int = 200
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    num_micro_batches: int = 1  # parts of batch_size that pass through the model one after another
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)  # unused by tasks without a critic

    def __post_init__(self) -> None:
        for name in ("num_steps", "batch_size", "log_every_steps", "checkpoint_every_steps", "validate_every_steps"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")
        if self.num_micro_batches < 1 or self.batch_size % self.num_micro_batches:
            given, rule = f"num_micro_batches={self.num_micro_batches}", f"divides batch_size={self.batch_size}"
            raise invalid(given, rule, "change either")
        if not 0 <= self.ema_decay < 1:
            raise invalid(f"ema_decay={self.ema_decay}", "a share in [0, 1)", "use 0.998")
