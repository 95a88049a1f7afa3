"""Attention over the whole sequence: exact, by the fastest kernel there is for these tensors."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.attention.blocked import blocked_attention, recorded_attention
from muybridge.ops.attention.flash import FLASH_3
from muybridge.ops.attention.interface import Grid, Kernel, is_whole, one_by_one
from muybridge.ops.attention.sdpa import sdpa_cudnn_first, suits_cudnn
from muybridge.ops.attention.short import short_attention
from muybridge.ops.recorded import is_recorded_on_cpu

MIN_BLOCKED_TOKENS = 128  # below, torch's kernel is as fast (measured)
MAX_RECORDED_ELEMENTS = 2**23  # weights of one sample kept for the backward pass: 16 MiB; torch's kernel keeps none


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
    kernel = fastest_kernel(query, key, value)
    if is_whole(value, lengths) and kernel is not blocked_attention:
        return kernel(query, key, value)
    return one_by_one(attend_whole, query, key, value, lengths=lengths)


def attend_whole(
    query: Float[Tensor, "1 heads m d"], key: Float[Tensor, "1 heads s d"], value: Float[Tensor, "1 heads s d"]
) -> Float[Tensor, "1 heads m d"]:
    """Some queries of one sample and the keys that they see, all of them; one dtype."""
    return fastest_kernel(query, key, value)(query, key, value)


def fastest_kernel(query: Tensor, key: Tensor, value: Tensor) -> Kernel:
    """The exact kernel that is fastest for such tensors: on CUDA by published figures, on the CPU as measured.

    FlashAttention 3 and cuDNN's kernel are for Hopper; torch chooses among its own elsewhere.
    """
    if value.is_cuda:
        if FLASH_3.suits(value):
            return FLASH_3.whole
        return sdpa_cudnn_first if suits_cudnn(value) else F.scaled_dot_product_attention
    return blocked_attention if _gains_from_blocks(query, key, value) else F.scaled_dot_product_attention


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
