"""e4m3, eight bits with an exponent: weights with a scale per row, tokens with one each; multiplied where it exists.

Elsewhere the same rounded numbers are multiplied in the dtype of the tokens: as small, not as fast, and the same to
the order of a sum.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.ops.codes import widened

E4M3 = torch.float8_e4m3fn
LARGEST = 448.0
MULTIPLE = 16  # of both sizes of a matrix, for torch._scaled_mm
CAPABILITY = (8, 9)  # of a CUDA device that multiplies fp8: Ada and Hopper on


def encode(weight: Float[Tensor, "o i"]) -> dict[str, Tensor]:
    """Codes (o, i), and scales (o,) that bfloat16 holds, so that decoding in it rounds once."""
    scale = (weight.abs().amax(1).float() / LARGEST).clamp(min=2**-100)
    scale = (scale * (1 + 2**-8)).bfloat16().float()  # rounding takes less than that away
    codes = (weight.float() / scale[:, None]).clamp_(-LARGEST, LARGEST)
    return {"weight": codes.to(E4M3), "scale": scale}


def decode(parts: Mapping[str, Tensor], dtype: torch.dtype) -> Float[Tensor, "o i"]:
    """The weight in `dtype`."""
    return widened(parts["weight"], dtype).mul_(parts["scale"].to(dtype)[:, None])


def product(x: Float[Tensor, "n i"], weight: Float[Tensor, "o i"], scale: Float[Tensor, " o"]) -> Float[Tensor, "n o"]:
    """Tokens rounded to e4m3, times the weight, without a bias."""
    token_scale = x.abs().amax(1, keepdim=True).float().clamp(min=2**-100) / LARGEST
    codes = (x * (1 / token_scale)).clamp_(-LARGEST, LARGEST).to(E4M3)
    if is_fast(x) and not any(size % MULTIPLE for size in weight.shape):
        return torch._scaled_mm(
            codes, weight.t(), scale_a=token_scale, scale_b=scale[None], out_dtype=x.dtype, use_fast_accum=True
        )
    dtype = torch.bfloat16 if x.dtype == torch.float16 else x.dtype  # sums are too large for float16
    sums = F.linear(widened(codes, dtype), widened(weight, dtype))
    return sums.float().mul_(token_scale).mul_(scale).to(x.dtype)


def is_fast(x: Tensor) -> bool:
    """Whether the product is computed in fp8: bfloat16 tokens on a CUDA device that can."""
    return x.is_cuda and x.dtype == torch.bfloat16 and torch.cuda.get_device_capability(x.device) >= CAPABILITY
