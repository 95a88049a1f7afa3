"""MagCache (arXiv 2506.09045): what the blocks add shrinks by the same shares in every film, measured once a model."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from muybridge.acceleration.caches.gate import Gate, gated
from muybridge.core.errors import invalid
from muybridge.transformer import Transformer
from muybridge.transformer.conditions import Signals

RETAINED = 0.2  # of the evaluations, at the start, are always computed; published
LONGEST = 4  # evaluations left out in a row; published: 2 to 6


class _Accumulated:
    """The errors of using a residual again, by the ratios alone: every film leaves out the same steps."""

    def __init__(self, *, threshold: float, ratios: Sequence[float]) -> None:
        self._threshold, self._ratios = threshold, tuple(ratios)
        self._shrunk, self._error, self._num_skipped = 1.0, 0.0, 0

    def __call__(self, probe: Float[Tensor, "b n d"], index: int) -> Bool[Tensor, " b"]:
        if index > int(RETAINED * len(self._ratios)):
            self._shrunk *= self._ratios[index - 1]
            self._error += abs(1 - self._shrunk)
            self._num_skipped += 1
        skips = 0 < self._num_skipped <= LONGEST and self._error < self._threshold
        if not skips:
            self._shrunk, self._error, self._num_skipped = 1.0, 0.0, 0
        return torch.full((len(probe),), skips, device=probe.device)


def magcache(
    transformer: Transformer, *, threshold: float, ratios: Sequence[float], num_evaluations: int
) -> AbstractContextManager[Gate]:
    """Steps are left out until the errors that the ratios tell of add up to the threshold.

    ratios: of the mean length of a token's residual over all blocks to that of the evaluation before, for each
    evaluation after the first. Inside, sample with `gate.around(velocity)`, once. Raises InvalidInput where their
    number does not fit.
    """
    if len(ratios) != num_evaluations - 1 or not all(map(math.isfinite, ratios)):
        rule = f"every evaluation after the first has its ratio, of {num_evaluations - 1}"
        raise invalid(f"{len(ratios)} ratios", rule, "measure them with as many steps")
    judge = _Accumulated(threshold=threshold, ratios=ratios)
    return gated(transformer, Gate(judge, _unread, runs_first=False))


def _unread(block: nn.Module, before: Tensor, after: Tensor, signals: Signals) -> Tensor:
    """Tells the number of films and their device; nothing in it is looked at."""
    return before
