"""Some of a linear layer's outputs, as if it were a layer for each part of a fused one."""

from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class Divisible(Protocol):
    """A layer that stands in for a plain one and can compute some of its outputs alone."""

    def outputs(self, x: Float[Tensor, "*shape i"], *, first: int, num: int) -> Float[Tensor, "*shape o"]:
        """Outputs first ... first + num - 1."""
        ...


def outputs(layer: nn.Module, x: Float[Tensor, "*shape i"], *, first: int, num: int) -> Float[Tensor, "*shape o"]:
    """Outputs first ... first + num - 1 of a linear layer; of a layer that is not `Divisible` all are computed."""
    if type(layer) is nn.Linear:
        rows = slice(first, first + num)
        return F.linear(x, layer.weight[rows], None if layer.bias is None else layer.bias[rows])
    if isinstance(layer, Divisible):
        return layer.outputs(x, first=first, num=num)
    return layer(x).narrow(-1, first, num)
