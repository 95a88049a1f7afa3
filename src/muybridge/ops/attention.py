"""Attention over the whole sequence: one function, the backends behind it."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.blocked_attention import SHIFT_STRIDE, blocked_attention, recorded_attention
from muybridge.ops.recorded import is_recorded_on_cpu

MIN_BLOCKED_TOKENS = 128  # below, torch's kernel is as fast (measured)
MAX_RECORDED_ELEMENTS = 2**23  # weights of one sample kept for the backward pass: 16 MiB; torch's kernel keeps none


def attend(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None = None,
) -> Float[Tensor, "b heads s d"]:
    """Softmax attention with scale 1/sqrt(d), in the dtype of `value`.

    `lengths` gives the number of valid tokens of each sample, always the first ones: the tokens after them, which must
    be finite, have no part in the result, and their own is zero. No mask is built but for short samples: those of
    different length are attended to one by one.
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


def short_attention(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None,
) -> Float[Tensor, "b heads s d"]:
    """Attention of short samples as one batch of matrix products, for training in bfloat16 on the CPU.

    There torch's kernel spends its time on starting (measured: 3.5 times this, 32 samples of 100 tokens, forwards and
    backwards). Padding is masked and its output is zero. The rows are shifted as in `blocked_attention`.
    """
    b, s = len(value), value.shape[2]
    q, k, v = (x.flatten(0, 1) for x in (query, key, value))
    scale = value.shape[3] ** -0.5
    shift = torch.bmm(q.detach(), k[:, ::SHIFT_STRIDE].detach().transpose(1, 2)).amax(-1, keepdim=True) * -scale
    is_valid = torch.arange(s) < torch.tensor(lengths or [s] * b)[:, None]
    hidden = torch.zeros(b, 1, 1, s, dtype=v.dtype).masked_fill(~is_valid[:, None, None], -torch.inf)
    offsets = shift.unflatten(0, query.shape[:2]) + hidden
    logits = torch.baddbmm(offsets.flatten(0, 1), q, k.transpose(1, 2), alpha=scale)
    attended = torch.bmm(logits.softmax(-1), v).unflatten(0, query.shape[:2])
    return attended * is_valid[:, None, :, None]


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
