"""A distance between features of a frozen network, for training only."""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor


class FeatureDistance(Protocol):
    """Distance of two clips in the features of some frozen network; LPIPS where its weights are at hand."""

    def __call__(
        self, decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"], draw: torch.Generator
    ) -> Float[Tensor, ""]:
        """A scalar; `draw` chooses the frames that are compared."""
        ...
