"""Attention over the whole sequence: one function, the backends behind it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def attend(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None = None,
) -> Float[Tensor, "b heads s d"]:
    """Softmax attention with scale 1/sqrt(d), in the dtype of `value`.

    `lengths` gives the number of valid tokens of each sample, always the first ones: the tokens after them are neither
    read nor written (their output is zero). No mask is built: samples of equal length are attended to together.
    """
    query, key = query.to(value.dtype), key.to(value.dtype)  # one dtype keeps the fused kernels
    if lengths is None or min(lengths) == value.shape[2]:
        return F.scaled_dot_product_attention(query, key, value)
    out = torch.zeros_like(value)
    for length in sorted(set(lengths)):
        rows = torch.tensor([i for i, own in enumerate(lengths) if own == length], device=value.device)
        q, k, v = (x.index_select(0, rows)[:, :, :length] for x in (query, key, value))
        out[rows, :, :length] = F.scaled_dot_product_attention(q, k, v)
    return out
