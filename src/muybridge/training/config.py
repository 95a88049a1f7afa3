"""What every training run has: steps, batch, optimizer, averaging, checkpoints."""

from dataclasses import dataclass, field
from typing import Literal

from muybridge.core.errors import invalid

Tracker = Literal["tensorboard", "wandb"]
Recompute = Literal["none", "selective", "full"]
MAX_EMA_WIDTH = 0.28  # a uniform average over the whole run is 0.2887 wide, the widest that a power average can be


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW, or Muon on the hidden matrices with AdamW on the rest; warm-up, constant, decay to zero at the end."""

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 1e-3
    matrix_lr: float = 3e-3  # Muon's, scaled to AdamW's RMS; unused by "adamw"
    matrix_names: tuple[str, ...] = ("blocks",)  # Muon takes weights, not vectors, whose names hold one of these
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.0
    warmup_steps: int = 50
    decay_steps: int = 0  # the last steps of the run, down to zero
    decay: Literal["linear", "cosine"] = "linear"  # decay_steps = num_steps with "cosine" is the usual cosine schedule
    clip: Literal["fixed", "adaptive"] = "fixed"
    max_grad_norm: float = 1.0  # of "adaptive", only until it has seen enough norms
    clip_sigmas: float = 3.0  # "adaptive" clips at the norm's mean and this many deviations; Open-Sora-Plan 1.5
    slow_names: tuple[str, ...] = ()  # parameters whose names hold one of these learn at slow_share of the rate
    slow_share: float = 0.03

    def __post_init__(self) -> None:
        for name in ("lr", "matrix_lr", "max_grad_norm", "clip_sigmas"):
            if not getattr(self, name) > 0:
                raise invalid(f"{name}={getattr(self, name)}", "must be positive", "use 1e-3, or 1.0 for the norm")
        if min(self.warmup_steps, self.decay_steps) < 0:
            given = f"warmup_steps={self.warmup_steps}, decay_steps={self.decay_steps}"
            raise invalid(given, "counts are not negative", "use 0 to leave one out")


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """One stage of training. Everything random is a function of (seed, step), so a resumed run is the same run."""

    seed: int = 0
    num_steps: int = 1000
    batch_size: int = 8
    ema_decay: float = 0.998  # ramped up from zero over the first steps
    ema_width: float | None = None  # such as 0.1: a power average this wide, in shares of the run, instead of ema_decay
    is_bf16: bool = True  # autocast; weights and optimizer stay float32
    log_every_steps: int = 20
    checkpoint_every_steps: int = 200
    validate_every_steps: int = 200
    sample_every_steps: int = 0  # 0 for none; contact sheets in samples/, where the task makes films
    num_checkpoints: int = 2  # kept
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    num_micro_batches: int = 1  # parts of batch_size that pass through the model one after another
    critic_optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)  # unused by tasks without a critic
    recompute: Recompute = "none"  # of the blocks in the backward pass: memory for time
    trackers: tuple[Tracker, ...] = ("tensorboard",)  # beside metrics.jsonl; tensorboard only where it is installed

    def __post_init__(self) -> None:
        counts = ("num_steps", "batch_size", "log_every_steps", "checkpoint_every_steps", "validate_every_steps")
        for name in (*counts, "num_checkpoints", "num_micro_batches"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")
        if self.sample_every_steps < 0:
            raise invalid(f"sample_every_steps={self.sample_every_steps}", "is not negative", "use 0 for no samples")
        if self.batch_size % self.num_micro_batches:
            given, rule = f"num_micro_batches={self.num_micro_batches}", f"divides batch_size={self.batch_size}"
            raise invalid(given, rule, "change either")
        if not 0 <= self.ema_decay < 1:
            raise invalid(f"ema_decay={self.ema_decay}", "a share in [0, 1)", "use 0.998")
        if self.ema_width is not None and not 0 < self.ema_width < MAX_EMA_WIDTH:
            rule = f"a share of the run in (0, {MAX_EMA_WIDTH})"
            raise invalid(f"ema_width={self.ema_width}", rule, "use 0.05 to 0.15")
