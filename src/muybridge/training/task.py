"""The seam between the trainer and what is trained."""

from typing import Protocol

from torch import Tensor, nn


class Task(Protocol):
    """A loss as a pure function of (model, step), and a validation that never touches training data."""

    def loss(self, model: nn.Module, step: int, *, batch_size: int) -> tuple[Tensor, dict[str, float]]:
        """The scalar to minimise at `step`, and figures for the log."""
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Figures of the averaged weights on held-out data."""
        ...
