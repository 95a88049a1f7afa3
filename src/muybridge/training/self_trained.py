"""Stages that bring their own data: the small networks that curation and captioning measure with."""

from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from torch import nn

from muybridge.training.config import RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.task import Task
from muybridge.training.trainer import OnStep, Trainer

Network = TypeVar("Network", bound=nn.Module)


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
