"""First-block cache (ParaAttention's): what the first block changes tells whether the others must run."""

from contextlib import AbstractContextManager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from muybridge.acceleration.caches.gate import Gate, gated
from muybridge.acceleration.caches.relative import relative_change
from muybridge.transformer import Transformer
from muybridge.transformer.conditions import Signals


class _SinceComputed:
    """The change of the probe since the blocks last ran, film by film."""

    def __init__(self, *, threshold: float) -> None:
        self._threshold = threshold
        self._computed = torch.empty(0)

    def __call__(self, probe: Float[Tensor, "b n d"], index: int) -> Bool[Tensor, " b"]:
        if index == 0:
            self._computed = probe
            return torch.zeros(len(probe), dtype=torch.bool, device=probe.device)
        skips = relative_change(probe, self._computed) < self._threshold
        self._computed = torch.where(skips[:, None, None], self._computed, probe)
        return skips


def first_block_cache(transformer: Transformer, *, threshold: float) -> AbstractContextManager[Gate]:
    """The other blocks are left out while the first one's residual changes by less than the threshold.

    Inside, sample with `gate.around(velocity)`, once. The first block runs in every step.
    """
    return gated(transformer, Gate(_SinceComputed(threshold=threshold), residual, runs_first=True))


def residual(block: nn.Module, before: Tensor, after: Tensor, signals: Signals) -> Tensor:
    """What the first block added to the visual tokens."""
    return after - before
