"""Normalisation: RMS norm and rotation of each head's queries and keys, and layer norm without parameters."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from muybridge.ops.recorded import is_recorded_on_cpu
from muybridge.ops.rope import rotate

EPSILON = 1e-6  # of every norm in the released transformer


class RMSNorm(nn.Module):
    """Divide by the root mean square over the last dimension, then multiply by `weight`. arXiv 1910.07467."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(
        self, x: Float[Tensor, "*shape d"], rope: Complex[Tensor, "s half"] | Float[Tensor, "s half 2"] | None = None
    ) -> Float[Tensor, "*shape d"]:
        """Normalised `x`, turned by `rope` where it is given; in float32 at least, rounded once to the dtype of `x`."""
        if x.ndim > 1 and is_recorded_on_cpu(x, self.weight):
            return _NormAndRotate.apply(x, self.weight, rope)  # type: ignore[no-any-return]
        return _norm_and_rotate(x, self.weight, rope)


def layer_norm(x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape d"]:
    """Zero mean and unit variance over the last dimension; statistics in float32, the dtype of `x` comes back."""
    return F.layer_norm(x, x.shape[-1:], eps=EPSILON)


def _norm_and_rotate(x: Tensor, weight: Tensor, rope: Tensor | None) -> Tensor:
    dtype = torch.promote_types(x.dtype, torch.float32)
    normed = F.rms_norm(x.to(dtype), weight.shape, weight.to(dtype), EPSILON)
    return (normed if rope is None else rotate(normed, rope)).to(x.dtype)


class _NormAndRotate(torch.autograd.Function):
    """y = rotated(n * weight) with n = x * r, r = 1 / rms(x). See `ops.recorded`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, rope: Tensor | None) -> Tensor:
        out = x.new_empty(x.shape)
        for result, sample in zip(out.split(1), x.split(1), strict=True):
            result.copy_(_norm_and_rotate(sample, weight, rope))
        ctx.save_for_backward(x, weight, rope)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, None]:
        """With g = dy turned back: dweight = sum of g n, dx = r (g weight - n mean(g weight n))."""
        x, weight, rope = ctx.saved_tensors
        dtype = torch.promote_types(x.dtype, torch.float32)
        dx, dweight, w = torch.empty_like(x), torch.zeros_like(weight, dtype=dtype), weight.to(dtype)
        back = None if rope is None else rope.conj().resolve_conj()
        for result, *sample in zip(dx.split(1), x.split(1), dy.split(1), strict=True):
            x_own, g = (tensor.to(dtype, memory_format=torch.contiguous_format) for tensor in sample)
            r = (torch.linalg.vector_norm(x_own, dim=-1, keepdim=True) ** 2 / x.shape[-1] + EPSILON).rsqrt()
            n, g = x_own * r, g if back is None else rotate(g, back)
            gn = g * n
            dweight += gn.flatten(0, -2).sum(0)
            mean = (gn @ w)[..., None] / x.shape[-1]
            result.copy_(torch.addcmul(g * w, n, mean, value=-1).mul_(r))
        return dx, dweight.to(weight.dtype), None
