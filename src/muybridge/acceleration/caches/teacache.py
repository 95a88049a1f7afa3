"""TeaCache (arXiv 2411.19108): the first block's modulated input tells how much the output will have changed."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from muybridge.acceleration.caches.gate import Gate, gated
from muybridge.acceleration.caches.relative import relative_change
from muybridge.ops.modulation import norm_and_modulate
from muybridge.transformer import Transformer
from muybridge.transformer.conditions import Signals

# Published for HunyuanVideo at 50 steps: relative change of the probe to that of the output, highest power first.
HUNYUANVIDEO = (733.226126, -401.131952, 67.5869174, -3.149878, 0.0961237896)


class _Accumulated:
    """The change expected since the blocks last ran, film by film."""

    def __init__(self, *, threshold: float, polynomial: Sequence[float], num_evaluations: int) -> None:
        self._threshold, self._polynomial, self._last = threshold, tuple(polynomial), num_evaluations - 1
        self._before = self._change = torch.empty(0)

    def __call__(self, probe: Float[Tensor, "b n d"], index: int) -> Bool[Tensor, " b"]:
        if index == 0:
            self._change = torch.zeros(len(probe), device=probe.device)
        else:
            self._change = self._change + _polynomial(self._polynomial, relative_change(probe, self._before))
        self._before = probe.clone()
        skips = (self._change < self._threshold) & (0 < index < self._last)
        self._change = torch.where(skips, self._change, 0)
        return skips


def teacache(
    transformer: Transformer, *, threshold: float, polynomial: Sequence[float], num_evaluations: int
) -> AbstractContextManager[Gate]:
    """Steps are left out until the change that the polynomial expects adds up to the threshold.

    Inside, sample with `gate.around(velocity)`, once. The first and the last evaluation are always computed. Published
    for HunyuanVideo: thresholds 0.10 and 0.15 (1.6 and 2.1 times as fast) with `HUNYUANVIDEO`.
    """
    judge = _Accumulated(threshold=threshold, polynomial=polynomial, num_evaluations=num_evaluations)
    return gated(transformer, Gate(judge, modulated_input, runs_first=False))


def modulated_input(block: nn.Module, before: Tensor, after: Tensor, signals: Signals) -> Tensor:
    """What the first block's attention reads of the visual tokens."""
    shift, scale, *_ = block.get_submodule("img_mod")(signals.frames)
    return norm_and_modulate(before, shift, scale)


def _polynomial(coefficients: Sequence[float], x: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for coefficient in coefficients:
        total = total * x + coefficient
    return total
