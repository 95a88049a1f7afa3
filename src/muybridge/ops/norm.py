"""Normalisation: per-head RMS for queries and keys, and layer norm without parameters of its own."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

EPSILON = 1e-6  # of every norm in the released transformer


class RMSNorm(nn.Module):
    """Divide by the root mean square over the last dimension, then multiply by `weight`. arXiv 1910.07467."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape d"]:
        """Normalised `x` in float32 (or better, where `x` is), because rotation follows and is float32 too."""
        dtype = torch.promote_types(x.dtype, torch.float32)
        return F.rms_norm(x.to(dtype), self.weight.shape, self.weight.to(dtype), EPSILON)


def layer_norm(x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape d"]:
    """Zero mean and unit variance over the last dimension; statistics in float32, the dtype of `x` comes back."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)
