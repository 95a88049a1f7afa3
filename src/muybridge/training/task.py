"""The seam between the trainer and what is trained."""

from typing import Protocol, TypeVar

from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module, contravariant=True)


class Task(Protocol[Model]):
    """A loss as a pure function of (model, step), and a validation that never touches training data."""

    def loss(self, model: Model, step: int, *, batch_size: int) -> tuple[Tensor, dict[str, float]]:
        """The scalar to minimise at `step`, and figures for the log."""
        ...

    def validate(self, model: Model) -> dict[str, float]:
        """Figures of the averaged weights on held-out data."""
        ...
