"""The seam between the trainer and what is trained."""

from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module, contravariant=True)


class Task(Protocol[Model]):
    """A loss as a pure function of (model, step, micro), and a validation that never touches training data."""

    @property
    def critic(self) -> nn.Module | None:
        """A network trained against the model, with an optimizer of its own; None for most tasks.

        A task with one is also a `CriticTask`.
        """
        ...

    def loss(self, model: Model, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """The scalar to minimise at `step`, a mean over `batch_size` rows, and figures for the log.

        Under gradient accumulation the rows are [micro * batch_size : (micro + 1) * batch_size] of the step's whole
        batch, and the trainer averages the losses: to rounding, the whole batch's loss.
        """
        ...

    def validate(self, model: Model) -> dict[str, float]:
        """Figures of the averaged weights on held-out data."""
        ...


class CriticTask(Task[Model], Protocol[Model]):
    """A task whose model also has to convince a critic."""

    @property
    def critic_start_step(self) -> int:
        """The first step at which the critic learns."""
        ...

    def critic_loss(self, step: int, *, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """The critic's scalar to minimise, and figures for the log.

        Called after the model's optimizer step of the same `step`; it reads what `loss` kept of that micro-batch,
        detached. The trainer has set the critic's gradients to zero by then.
        """
        ...


@runtime_checkable
class Sampling(Protocol[Model]):
    """A task that can show what the model does."""

    def samples(self, model: Model) -> dict[str, np.ndarray]:
        """Named films, uint8 (n, t, h, w, 3), made one after another so that memory stays below training's."""
        ...
