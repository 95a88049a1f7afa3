"""Attention over the whole sequence: exact, by the fastest kernel there is for these tensors."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.attention.blocked import blocked_attention, recorded_attention
from muybridge.ops.attention.short import short_attention
from muybridge.ops.recorded import is_recorded_on_cpu

MIN_BLOCKED_TOKENS = 128  # below, torch's kernel is as fast (measured)
MAX_RECORDED_ELEMENTS = 2**23  # weights of one sample kept for the backward pass: 16 MiB; torch's kernel keeps none


Grid = tuple[int, int, int]  # frames, rows and columns of the visual tokens


class Attention(Protocol):
    """What a block calls: softmax attention over the tokens of both streams, the visual ones first.

    `lengths` as in `attend`; `grid` is that of the visual tokens, for those that leave pairs of tokens out.
    """

    def __call__(
        self,
        query: Float[Tensor, "b heads s d"],
        key: Float[Tensor, "b heads s d"],
        value: Float[Tensor, "b heads s d"],
        *,
        lengths: Sequence[int] | None = None,
        grid: Grid | None = None,
    ) -> Float[Tensor, "b heads s d"]:
        """What each token attends to, in the dtype of `value`."""
        ...


def attend(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None = None,
    grid: Grid | None = None,
) -> Float[Tensor, "b heads s d"]:
    """Softmax attention with scale 1/sqrt(d), in the dtype of `value`.

    `lengths` gives the number of valid tokens of each sample, always the first ones: the tokens after them, which must
    be finite, have no part in the result, and their own is zero. No mask is built but for short samples: those of
    different length are attended to one by one. `grid` changes nothing here: every pair of tokens counts.
    """
    query, key = query.to(value.dtype), key.to(value.dtype)  # one dtype keeps the fused kernels
    recorded = _recorded_backend(query, key, value)
    if recorded is not None:
        return recorded(query, key, value, lengths=lengths)
    if value.device.type == "cpu":  # read once per block of queries, so they had better lie together (measured: 6 %)
        key, value = key.contiguous(), value.contiguous()
    is_whole = lengths is None or min(lengths) == value.shape[2]
    if is_whole and not _gains_from_blocks(query, key, value):
        return F.scaled_dot_product_attention(query, key, value)
    return _one_by_one(query, key, value, lengths=lengths)


def _one_by_one(query: Tensor, key: Tensor, value: Tensor, *, lengths: Sequence[int] | None) -> Tensor:
    """Each sample apart: neither the others nor the padding have a part in it."""
    b, heads, s, d = value.shape
    parts: list[Tensor] = []
    for *qkv, length in zip(query.split(1), key.split(1), value.split(1), lengths or [s] * b, strict=True):
        q, k, v = (x[:, :, :length] for x in qkv)
        backend = blocked_attention if _gains_from_blocks(q, k, v) else F.scaled_dot_product_attention
        attended = backend(q, k, v)[0].transpose(0, 1)
        parts += [attended, attended.new_zeros(s - length, heads, d)] if length < s else [attended]
    return torch.cat(parts).unflatten(0, (b, s)).transpose(1, 2)


def _recorded_backend(query: Tensor, key: Tensor, value: Tensor) -> Callable[..., Tensor] | None:
    """What trains in bfloat16 on the CPU; None for torch's kernel, which keeps no weights."""
    _, heads, s, _ = value.shape
    if value.dtype != torch.bfloat16 or not is_recorded_on_cpu(query, key, value):
        return None
    if s < MIN_BLOCKED_TOKENS:
        return short_attention
    return recorded_attention if heads * s**2 <= MAX_RECORDED_ELEMENTS else None


def _gains_from_blocks(query: Tensor, key: Tensor, value: Tensor) -> bool:
    is_bf16_on_cpu = value.device.type == "cpu" and value.dtype == torch.bfloat16
    is_long = value.shape[2] >= MIN_BLOCKED_TOKENS
    return is_bf16_on_cpu and is_long and not is_recorded_on_cpu(query, key, value)
