"""Stages that bring their own data: the small networks that curation and captioning measure with."""

from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from muybridge.training.config import RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.task import Task
from muybridge.training.trainer import OnStep, Trainer

Network = TypeVar("Network", bound=nn.Module)

LEAST_DEVIATION = 1e-3  # of a feature that never changes


@runtime_checkable
class SelfTrained(Protocol):
    """The settings of such a stage: a frozen dataclass, `run` its common part."""

    @property
    def run(self) -> RunConfig:
        """Steps, batch, optimizer, checkpoints."""
        ...

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Train in `folder`, or continue there; the file of the averaged weights, its accuracy inside."""
        ...


def trained(
    network: Network, task: Task[Any], stage: SelfTrained, folder: Path, *, on_step: OnStep | None = None
) -> Network:
    """The network with the averaged weights of the stage's run. Make it within `seeded`, so that runs repeat."""
    return Trainer(network, task, stage.run, folder=folder, settings=settings_of(stage)).run(on_step)


def standardise(examples: Float[Tensor, "*n k"], *, mean: Float[Tensor, " k"], deviation: Float[Tensor, " k"]) -> None:
    """Set the buffers by which a network brings features to one scale to those of all examples."""
    rows = tuple(range(examples.ndim - 1))
    mean.copy_(examples.mean(rows))
    deviation.copy_(examples.std(rows) + LEAST_DEVIATION)
