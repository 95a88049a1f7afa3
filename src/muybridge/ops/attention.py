"""Attention over the whole sequence: one function, the backends behind it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MIN_BLOCKED_TOKENS = 128  # below, torch's kernel is as fast (measured)
BLOCK_ELEMENTS = 2**22  # weights of one block of queries: 8 MiB, which stays in the cache
MAX_RECORDED_ELEMENTS = 2**23  # weights of one sample kept for the backward pass: 16 MiB; torch's kernel keeps none
SHIFT_STRIDE = 8  # every eighth key finds a row's largest logit well enough


def attend(
    query: Float[Tensor, "b heads s d"],
    key: Float[Tensor, "b heads s d"],
    value: Float[Tensor, "b heads s d"],
    *,
    lengths: Sequence[int] | None = None,
) -> Float[Tensor, "b heads s d"]:
    """Softmax attention with scale 1/sqrt(d), in the dtype of `value`.

    `lengths` gives the number of valid tokens of each sample, always the first ones: the tokens after them are neither
    read nor written (their output is zero). No mask is built: samples of different length are attended to one by one.
    """
    query, key = query.to(value.dtype), key.to(value.dtype)  # one dtype keeps the fused kernels
    if value.device.type == "cpu":  # read once per block of queries, so they had better lie together (measured: 6 %)
        key, value = key.contiguous(), value.contiguous()
    if _gains_from_one_batch(query, key, value):
        return short_attention(query, key, value, lengths=lengths)
    is_whole = lengths is None or min(lengths) == value.shape[2]
    if is_whole and not _gains_from_blocks(query, key, value):
        return F.scaled_dot_product_attention(query, key, value)
    return _one_by_one(query, key, value, lengths=lengths)


def blocked_attention(
    query: Float[Tensor, "1 heads s d"], key: Float[Tensor, "1 heads s d"], value: Float[Tensor, "1 heads s d"]
) -> Float[Tensor, "1 heads s d"]:
    """Attention of one sample as matrix products over blocks of queries, for bfloat16 on the CPU.

    torch's kernel there runs at the speed of float32 products; this is 1.4 times as fast forwards and twice as fast
    backwards (measured: AMD EPYC with avx512_bf16, one thread, 2,620 and 350 tokens). The price: logits are rounded to
    bfloat16, where the kernel keeps float32. So each row is first shifted by (nearly) its largest logit, which no
    softmax notices: the logits that count are then near zero, where bfloat16 is fine. The error's deviation is twice
    the kernel's, 0.3 to 0.4 % of the output's, for logits of deviation 1 to 8 alike.
    """
    q, k, v = query[0], key[0], value[0]
    heads, s, d = v.shape
    rows = s if _is_recorded(query, key, value) else max(64, BLOCK_ELEMENTS // (heads * s))
    some_keys, scale = k[:, ::SHIFT_STRIDE].detach().transpose(1, 2), d**-0.5
    parts: list[Tensor] = []
    for block in q.split(rows, 1):
        shift = torch.bmm(block.detach(), some_keys).amax(-1, keepdim=True) * -scale
        logits = torch.baddbmm(shift, block, k.transpose(1, 2), alpha=scale)
        parts.append(torch.bmm(logits.softmax(-1), v))
    return torch.cat(parts, 1)[None]


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


def _gains_from_one_batch(query: Tensor, key: Tensor, value: Tensor) -> bool:
    is_short_bf16 = value.dtype == torch.bfloat16 and value.shape[2] < MIN_BLOCKED_TOKENS
    return value.device.type == "cpu" and is_short_bf16 and _is_recorded(query, key, value)


def _gains_from_blocks(query: Tensor, key: Tensor, value: Tensor) -> bool:
    _, heads, s, _ = value.shape
    if value.device.type != "cpu" or value.dtype != torch.bfloat16 or s < MIN_BLOCKED_TOKENS:
        return False
    return not _is_recorded(query, key, value) or heads * s * s <= MAX_RECORDED_ELEMENTS


def _is_recorded(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
