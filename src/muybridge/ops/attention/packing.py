"""Samples of different length as one row of tokens, as kernels for that want them."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor


class PackedKernel(Protocol):
    """Attention inside each sample of a row of tokens: sample i takes places starts[i] to starts[i + 1]."""

    def __call__(
        self,
        query: Float[Tensor, "n heads d"],
        key: Float[Tensor, "n heads d"],
        value: Float[Tensor, "n heads d"],
        *,
        starts: Int[Tensor, " ends"],
        longest: int,
    ) -> Float[Tensor, "n heads d"]:
        """Tokens at the places of the queries."""
        ...


def attend_packed(
    kernel: PackedKernel, query: Tensor, key: Tensor, value: Tensor, *, lengths: Sequence[int]
) -> Float[Tensor, "b heads s d"]:
    """Attention of samples (b, heads, s, d) of these lengths by one call; what follows a length is zero."""
    starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32).to(value.device, non_blocking=True)
    rows = (_packed(x, lengths) for x in (query, key, value))
    return _unpacked(kernel(*rows, starts=starts, longest=max(lengths)), lengths, num_tokens=value.shape[2])


def attend_packed_in_turn(
    query: Float[Tensor, "n heads d"],
    key: Float[Tensor, "n heads d"],
    value: Float[Tensor, "n heads d"],
    *,
    starts: Int[Tensor, " ends"],
    longest: int,
) -> Float[Tensor, "n heads d"]:
    """A `PackedKernel` in torch alone, for any device: one sample after the other. `longest` is not needed."""
    parts = zip(*(x.tensor_split(starts[1:-1].long().cpu()) for x in (query, key, value)), strict=True)
    in_heads = ([x.transpose(0, 1) for x in part] for part in parts)
    return torch.cat([torch.nn.functional.scaled_dot_product_attention(*part).transpose(0, 1) for part in in_heads])


def _packed(x: Tensor, lengths: Sequence[int]) -> Tensor:
    return torch.cat([tokens[:length] for tokens, length in zip(x.transpose(1, 2), lengths, strict=True)])


def _unpacked(rows: Tensor, lengths: Sequence[int], *, num_tokens: int) -> Tensor:
    out = rows.new_zeros(len(lengths), num_tokens, *rows.shape[1:])
    for tokens, part, length in zip(out, rows.split(list(lengths)), lengths, strict=True):
        tokens[:length] = part
    return out.transpose(1, 2)
