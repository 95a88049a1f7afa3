"""Places that change from step to step, so that none is favoured: of windows over time, of where a circle is cut."""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

Wander = Callable[[float], int]  # the place at a noise level


def wander(num_places: int, *, sigmas: Float[Tensor, "n"]) -> Wander:
    """Another of `num_places`, from 0, in every step of the grid `sigmas`; between its levels that of the nearest.

    The van der Corput sequence over the places: after any number of steps they have come up evenly, in no direction. It
    is a function of the level alone, so that steps which are predicted, or were kept, change nothing.
    """
    levels = [float(level) for level in sigmas]

    def place(sigma: float) -> int:
        step = min(range(len(levels)), key=lambda index: abs(levels[index] - sigma))
        return int(_halved(step) * num_places)

    return place


def _halved(index: int) -> float:
    """Van der Corput's: 0, 1/2, 1/4, 3/4, 1/8, ... the digits of the index mirrored at the point."""
    value, digit = 0.0, 0.5
    while index:
        value, index, digit = value + digit * (index & 1), index >> 1, digit / 2
    return value
