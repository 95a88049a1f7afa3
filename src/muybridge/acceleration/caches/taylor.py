"""A Taylor predictor: every so many steps the velocity is computed, between them extrapolated along sigma.

The idea of TaylorSeer (arXiv 2503.06923) at the level of the model: one velocity for each order is kept, not one for
each layer, whose histories are what runs out of memory at 720p.
"""

from collections import deque

from jaxtyping import Float
from torch import Tensor

from muybridge.flow.samplers import Velocity

WARM_UP = 3  # evaluations computed at the start, where the velocity turns fastest; convention, as published


class Taylor:
    """The velocity computed in every `interval`th evaluation of one sampler run and extrapolated in the others."""

    def __init__(self, velocity: Velocity, *, interval: int, order: int = 1) -> None:
        self.num_computed = 0
        self._velocity, self._interval = velocity, interval
        self._index = -1
        self._known: deque[tuple[float, Tensor]] = deque(maxlen=order + 1)

    def __call__(self, x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
        """Every film of the batch is at the same level, which is what samplers ask for."""
        self._index += 1
        level = float(sigma.max())
        if self._index >= WARM_UP and (self._index - WARM_UP + 1) % self._interval:
            return extrapolated(list(self._known), level)
        self.num_computed += 1
        v = self._velocity(x, sigma)
        if not self._known or self._known[-1][0] != level:
            self._known.append((level, v))
        return v


def extrapolated(known: list[tuple[float, Tensor]], level: float) -> Tensor:
    """The polynomial through known (sigma, velocity) at another sigma, by Lagrange's formula."""
    total = None
    for at, v in known:
        weight = 1.0
        for other, _ in known:
            weight *= 1.0 if other == at else (level - other) / (at - other)
        total = weight * v if total is None else total + weight * v
    assert total is not None
    return total
