"""The block types of ggml that people use, decoded in torch: on any device, and many times faster than in numpy.

Source: the layouts in ggml-common.h of llama.cpp. Every type is scale * code - offset, the code put together from runs
of bytes: in a run of r bytes, the lowest bits of all r come first, then the next lowest. Types with code books of
vectors (IQ1, IQ2, IQ3) and ternary ones are left to the package gguf.
"""

from collections.abc import Callable

import torch
from torch import Tensor

IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def _codes(data: Tensor, bits: int, run: int) -> Tensor:
    """Unsigned codes of `bits` (n, k * 8 / bits) from bytes (n, k)."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8, device=data.device)[:, None]
    return ((data.unflatten(1, (-1, 1, run)) >> shifts) & (2**bits - 1)).flatten(1)


def _halves(data: Tensor, start: int) -> Tensor:
    """The float16 at a byte, (n, 1) float32."""
    return data[:, start : start + 2].contiguous().view(torch.float16).float()


def _float(codes: Tensor) -> Tensor:
    """Whole numbers below 256 in float32; by way of bfloat16, which holds them, eight times faster on a CPU."""
    return codes.to(torch.bfloat16).float()


def _values(codes: Tensor, scale: Tensor, *, offset: Tensor | None = None) -> Tensor:
    """scale * codes - offset, each of (n, groups)."""
    values = _float(codes).unflatten(1, (scale.shape[1], -1)).mul_(scale[..., None])
    return (values if offset is None else values.sub_(offset[..., None])).flatten(1)


def _q8_0(data: Tensor) -> Tensor:
    return _values(data[:, 2:].contiguous().view(torch.int8), _halves(data, 0))


def _q4_0(data: Tensor) -> Tensor:
    scale = _halves(data, 0)
    return _values(_codes(data[:, 2:], 4, 16), scale, offset=8 * scale)


def _q4_1(data: Tensor) -> Tensor:
    return _values(_codes(data[:, 4:], 4, 16), _halves(data, 0), offset=-_halves(data, 2))


def _q5_0(data: Tensor) -> Tensor:
    scale, codes = _halves(data, 0), _codes(data[:, 6:], 4, 16) | _codes(data[:, 2:6], 1, 1) << 4
    return _values(codes, scale, offset=16 * scale)


def _q5_1(data: Tensor) -> Tensor:
    codes = _codes(data[:, 8:], 4, 16) | _codes(data[:, 4:8], 1, 1) << 4
    return _values(codes, _halves(data, 0), offset=-_halves(data, 2))


def _q2_k(data: Tensor) -> Tensor:
    steps = data[:, :16]
    scale, offset = _halves(data, 80) * _float(steps & 15), _halves(data, 82) * _float(steps >> 4)
    return _values(_codes(data[:, 16:80], 2, 32), scale, offset=offset)


def _q3_k(data: Tensor) -> Tensor:
    """The third bit is stored inverted: codes are from -4 to 3."""
    low, high = _codes(data[:, 96:104], 4, 8), _codes(data[:, 104:108], 2, 4)
    scale = _halves(data, 108) * (_float(low | high << 4) - 32)
    codes = _codes(data[:, 32:96], 2, 32) | _codes(data[:, :32], 1, 32) << 2
    return _values(codes, scale, offset=4 * scale)


def _six_bit_steps(data: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and offsets (n, 8) of Q4_K and Q5_K: twelve bytes, the upper bits of the last four in the first eight."""
    first, second, third = data[:, 4:8], data[:, 8:12], data[:, 12:16]
    scale = torch.cat([first & 63, third & 15 | (first >> 6) << 4], 1)
    offset = torch.cat([second & 63, third >> 4 | (second >> 6) << 4], 1)
    return _halves(data, 0) * _float(scale), _halves(data, 2) * _float(offset)


def _q4_k(data: Tensor) -> Tensor:
    scale, offset = _six_bit_steps(data)
    return _values(_codes(data[:, 16:], 4, 32), scale, offset=offset)


def _q5_k(data: Tensor) -> Tensor:
    scale, offset = _six_bit_steps(data)
    return _values(_codes(data[:, 48:], 4, 32) | _codes(data[:, 16:48], 1, 32) << 4, scale, offset=offset)


def _q6_k(data: Tensor) -> Tensor:
    codes = _codes(data[:, :128], 4, 64) | _codes(data[:, 128:192], 2, 32) << 4
    scale = _halves(data, 208) * _float(data[:, 192:208].contiguous().view(torch.int8))
    return _values(codes, scale, offset=32 * scale)


def _from_table(codes: Tensor, scale: Tensor) -> Tensor:
    table = torch.tensor(IQ4, dtype=torch.float32, device=codes.device)
    values = table.index_select(0, codes.flatten().int()).unflatten(0, (len(codes), scale.shape[1], -1))
    return values.mul_(scale[..., None]).flatten(1)


def _iq4_nl(data: Tensor) -> Tensor:
    return _from_table(_codes(data[:, 2:], 4, 16), _halves(data, 0))


def _iq4_xs(data: Tensor) -> Tensor:
    low, high = _codes(data[:, 4:8], 4, 1), _codes(data[:, 2:4], 2, 1)
    return _from_table(_codes(data[:, 8:], 4, 16), _halves(data, 0) * (_float(low | high << 4) - 32))


DECODERS: dict[str, Callable[[Tensor], Tensor]] = {  # from blocks (n, bytes) uint8 to values (n, block) float32
    "Q8_0": _q8_0, "Q4_0": _q4_0, "Q4_1": _q4_1, "Q5_0": _q5_0, "Q5_1": _q5_1,
    "Q2_K": _q2_k, "Q3_K": _q3_k, "Q4_K": _q4_k, "Q5_K": _q5_k, "Q6_K": _q6_k,
    "IQ4_NL": _iq4_nl, "IQ4_XS": _iq4_xs,
}  # fmt: skip
