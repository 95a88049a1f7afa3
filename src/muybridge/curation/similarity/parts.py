"""Means over parts of an axis, parts of cells included: how tiny films are cropped, enlarged and cut in time."""

import torch
from jaxtyping import Float
from torch import Tensor


def means_over(span: Float[Tensor, "*b 2"], *, count: int, of: int) -> Float[Tensor, "*b count of"]:
    """The share that each of `of` cells of an axis has in each of `count` equal parts of a span; rows add up to 1.

    span: where it begins and ends, as shares of the axis.
    """
    low, high = span[..., :1], span[..., 1:]
    edges = (of * (low + (high - low) * torch.arange(count + 1) / count))[..., None]
    cells = torch.arange(float(of))
    shared = torch.minimum(edges[..., 1:, :], cells + 1) - torch.maximum(edges[..., :-1, :], cells)
    shared = shared.clamp(min=0)
    return shared / shared.sum(-1, keepdim=True)
