"""Attention as its formula says, in float64: what every backend is measured against. arXiv 1706.03762, Eq. 1."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.ops.attention.interface import Grid

EXACT = torch.float64


def reference_attention(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None = None,
    grid: Grid | None = None,
    pairs: Bool[Tensor, "s s"] | None = None,
) -> Float[Tensor, "b heads s d"]:
    """softmax(q k' / sqrt(d)) v in float64, rounded once to the dtype of `value`; takes memory for all s * s weights.

    pairs: True where a query (row) sees a key; all, where it is left out. `lengths` and `grid` as in `attend`.
    """
    b, _, s, d = value.shape
    valid = torch.arange(s, device=value.device) < torch.tensor(lengths or [s] * b, device=value.device)[:, None]
    seen = valid[:, None, None] if pairs is None else valid[:, None, None] & pairs
    q, k = query.to(EXACT), key.to(EXACT)
    v = value.to(EXACT).masked_fill(~valid[:, None, :, None], 0)
    logits = (q @ k.transpose(-1, -2) / d**0.5).masked_fill(~seen, -torch.inf)
    return (logits.softmax(-1) @ v).masked_fill(~valid[:, None, :, None], 0).to(value.dtype)
