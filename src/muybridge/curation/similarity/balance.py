"""How often each clip should be drawn, so that common concepts do not drown the rare ones (paper 3.1)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from muybridge.core.errors import invalid

ENOUGH, MOST = 0.97, 20.0  # of the largest entropy; times that a clip of a rare concept is drawn for one of the mean
STEPS = 30  # halvings of the interval of powers


@dataclass(frozen=True, kw_only=True, slots=True)
class Balance:
    """Sampling weights of clips, 1 on average; entropies of the concepts as shares of the largest there could be.

    A weight is (mean count / count of its concept) ** power, capped.
    """

    sampling_weight: Float[np.ndarray, " n"]
    power: float
    entropy_before: float
    entropy_after: float


def balance(concept: Int[np.ndarray, " n"], *, enough: float = ENOUGH, most: float = MOST) -> Balance:
    """The gentlest weights with which the concepts drawn have `enough` of the largest entropy that they could have.

    Rarer concepts never get smaller weights. No weight is above `most` times the smallest: few clips would be seen
    over and over; where this cap stands against `enough`, the cap wins, and `entropy_after` says so.
    """
    if not 0 < enough < 1 or most < 1:
        raise invalid(f"enough={enough}, most={most}", "a share below 1, and a factor of at least 1", "use 0.97 and 20")
    concept = np.asarray(concept)
    if not len(concept):
        return Balance(sampling_weight=np.zeros(0), power=0.0, entropy_before=1.0, entropy_after=1.0)
    numbers, counts = np.unique(concept, return_inverse=True)[1], np.unique(concept, return_counts=True)[1]
    power, low, high = 0.0, 0.0, 1.0
    if _evenness(counts * _weights(counts, 0.0, most)) < enough:
        power = high
        for _ in range(STEPS):
            middle = 0.5 * (low + high)
            if _evenness(counts * _weights(counts, middle, most)) >= enough:
                power = high = middle
            else:
                low = middle
    weights = _weights(counts, power, most)[numbers]
    return Balance(
        sampling_weight=weights / weights.mean(), power=power, entropy_before=_evenness(counts.astype(float)),
        entropy_after=_evenness(counts * _weights(counts, power, most)),
    )  # fmt: skip


def _weights(counts: Int[np.ndarray, " k"], power: float, most: float) -> Float[np.ndarray, " k"]:
    return np.minimum((counts.max() / counts) ** power, most)


def _evenness(drawn: Float[np.ndarray, " k"]) -> float:
    """Entropy of what is drawn over that of even shares; 1 where there is one concept."""
    if len(drawn) < 2:
        return 1.0
    shares = drawn / drawn.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(shares)))
