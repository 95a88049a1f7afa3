"""Tasks and networks that train in milliseconds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from muybridge.core.seeding import generator
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.trainer import Trainer

OPTIMIZER = OptimizerConfig(lr=1e-2, warmup_steps=3, decay_steps=4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """The least that a run is known by."""

    run: RunConfig


class Regression:
    """The model learns to reverse noise drawn per step; row by row, so that micro-batches are rows of the whole."""

    critic = None

    def __init__(self, breaks_at: int | None = None):
        self.breaks_at = breaks_at

    def loss(self, model: nn.Module, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        if step == self.breaks_at:
            raise KeyboardInterrupt
        rows = range(micro * batch_size, (micro + 1) * batch_size)
        x = torch.stack([torch.randn(8, generator=generator(0, step, row)) for row in rows])
        error = model(x) - x.flip(1)
        return error.square().mean(), {"l1": float(error.detach().abs().mean())}

    def validate(self, model: nn.Module) -> dict[str, float]:
        return {"weight": float(next(model.parameters()).sum())}


class Showing(Regression):
    """A task with films to show."""

    def samples(self, model: nn.Module) -> dict[str, np.ndarray]:
        assert not torch.is_grad_enabled() and all(parameter.grad is None for parameter in model.parameters())
        return {"small": np.zeros((2, 3, 16, 24, 3), np.uint8), "large": np.zeros((1, 3, 32, 32, 3), np.uint8)}


class Adversarial(Regression):
    """A regression whose results also have to look like their targets to a critic."""

    critic_start_step = 4

    def __init__(self, breaks_at: int | None = None):
        super().__init__(breaks_at)
        torch.manual_seed(1)
        self.critic = nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))  # type: ignore[assignment]
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def loss(self, model: nn.Module, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        loss, figures = super().loss(model, step, batch_size=batch_size, micro=micro)
        x = torch.randn(batch_size, 8, generator=generator(0, step, micro, "critic"))
        made = model(x)
        self.kept[micro] = (made.detach(), x.flip(1))
        return loss - 0.1 * self.critic(made).mean(), figures

    def critic_loss(self, step: int, *, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        made, true = self.kept[micro]
        return (self.critic(made) - self.critic(true)).mean().exp(), {"made": float(self.critic(made).mean().detach())}


class Net(nn.Module):
    """Three layers; the last two count as blocks, so that Muon takes their weights, one of them a convolution's."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Linear(8, 16)
        self.middle = nn.ModuleList([nn.Linear(16, 16)])
        self.last_blocks = nn.ModuleList([nn.Linear(16, 16), nn.Conv1d(16, 8, 1)])

    def blocks(self) -> list[nn.Module]:
        return [*self.middle, *self.last_blocks]

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.middle[0](torch.tanh(self.first(x))))
        return self.last_blocks[1](torch.tanh(self.last_blocks[0](hidden))[..., None])[..., 0]


def trainer(folder: Path, task: Regression | None = None, **changes: Any) -> Trainer[Net]:
    """A run of twelve steps that checkpoints every five."""
    settings = {"num_steps": 12, "batch_size": 4, "checkpoint_every_steps": 5, "is_bf16": False, "trackers": ()}
    config = RunConfig(**{"optimizer": OPTIMIZER, "critic_optimizer": OPTIMIZER} | settings | changes)
    return Trainer(Net(), task or Regression(), config, folder=folder, settings=settings_of(Recipe(run=config)))


def tensors(run: Trainer[Net]) -> dict[str, Tensor]:
    """Everything that a resumed run has to have equal, by name."""
    named = {f"model.{name}": value for name, value in run.model.state_dict().items()}
    named |= {f"ema.{name}": value for name, value in run.ema.model.state_dict().items()}
    for prefix, learner in (("model", run.learner), ("critic", run.critic)):
        for number, optimizer in enumerate(learner.optimizers if learner else ()):
            for index, state in optimizer.state_dict()["state"].items():
                named |= {f"{prefix}.{number}.{index}.{name}": value for name, value in state.items()}
    if run.critic:
        named |= {f"critic.{name}": value for name, value in run.critic.network.state_dict().items()}
    return named


def assert_same(one: Trainer[Net], other: Trainer[Net]) -> None:
    """Bit for bit."""
    wanted, found = tensors(one), tensors(other)
    assert wanted.keys() == found.keys()
    assert [name for name in wanted if not torch.equal(wanted[name], found[name])] == []
