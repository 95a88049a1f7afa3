"""Adaptive layer norm: scale, shift and gate the tokens with signals made from the conditions. arXiv 2212.09748.

Signals come as (b, g, d): the tokens (b, n, d) are g equal runs (latent frames, or g = 1 for the whole clip) and each
run has its own signal.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from muybridge.ops.norm import EPSILON, layer_norm
from muybridge.ops.recorded import is_recorded_on_cpu, linear_dtype


def norm_and_modulate(
    x: Float[Tensor, "b n d"], shift: Float[Tensor, "b g d"], scale: Float[Tensor, "b g d"]
) -> Float[Tensor, "b n d"]:
    """`layer_norm(x) * (1 + scale) + shift`, for a linear layer to read: recorded, it may be in autocast's dtype."""
    if is_recorded_on_cpu(x, shift, scale):
        return _NormAndModulate.apply(x, shift, scale)  # type: ignore[no-any-return]
    runs = layer_norm(x).unflatten(1, (scale.shape[1], -1))
    return torch.addcmul(shift[:, :, None], runs, 1 + scale[:, :, None]).flatten(1, 2)


def add_gated(
    x: Float[Tensor, "b n d"], gate: Float[Tensor, "b g d"], change: Float[Tensor, "b n d"]
) -> Float[Tensor, "b n d"]:
    """`x + gate * change`."""
    if is_recorded_on_cpu(x, gate, change):
        return _AddGated.apply(x, gate, change)  # type: ignore[no-any-return]
    runs = (gate.shape[1], -1)
    return torch.addcmul(x.unflatten(1, runs), gate[:, :, None], change.unflatten(1, runs)).flatten(1, 2)


class _NormAndModulate(torch.autograd.Function):
    """Run by run a layer norm with weight 1 + scale and bias shift: torch has its backward pass. See `ops.recorded`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        out, weight = torch.empty_like(x, dtype=linear_dtype(x)), 1 + scale
        ctx.statistics = []
        for result, run, t, w in _by_run(out, x, signals=(shift, weight)):
            normed, mean, rstd = torch.native_layer_norm(run, run.shape[-1:], None, None, EPSILON)
            result.copy_(torch.addcmul(t, normed, w))
            ctx.statistics.append((mean, rstd))
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        dx, dshift, dscale = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        runs = _by_run(dx, x, dy, signals=(weight, dshift, dscale))
        for (result, run, g, w, t_sum, w_sum), statistics in zip(runs, ctx.statistics, strict=True):
            w = w.to(x.dtype)
            parts = torch.ops.aten.native_layer_norm_backward(
                g.to(x.dtype), run, run.shape[-1:], *statistics, w, w, [True, True, True]
            )
            for to, part in zip((result, w_sum, t_sum), parts, strict=True):
                to.copy_(part)
        return dx, dshift, dscale


class _AddGated(torch.autograd.Function):
    """Run by run. See `ops.recorded`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, gate: Tensor, change: Tensor) -> Tensor:
        out = torch.empty_like(x, dtype=torch.promote_types(x.dtype, torch.promote_types(gate.dtype, change.dtype)))
        for result, run, own, gate_own in _by_run(out, x, change, signals=(gate,)):
            result.copy_(torch.addcmul(run, gate_own, own))
        ctx.save_for_backward(gate, change)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """dx = dy, dgate = sum of dy change, dchange = dy gate."""
        gate, change = ctx.saved_tensors
        dgate, dchange = torch.empty_like(gate), torch.empty_like(change)
        for result, own, g, gate_own, sums in _by_run(dchange, change, dy, signals=(gate, dgate)):
            sums.copy_((g * own).sum(0))
            result.copy_(g * gate_own)
        return dy, dgate, dchange


def _by_run(*tokens: Tensor, signals: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    """Views of each run: its tokens (r, d) of every tensor, then its vector (d) of every signal."""
    b, g, _ = signals[0].shape
    runs = [[run for sample in x.unflatten(1, (g, -1)).unbind() for run in sample.unbind()] for x in tokens]
    vectors = [[vector for sample in x.unbind() for vector in sample.unbind()] for x in signals]
    return list(zip(*runs, *vectors, strict=True))
