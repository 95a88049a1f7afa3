"""What joins there are where two detectors have looked: ours, and TransNetV2's probabilities."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from muybridge.curation.shots.joins import Join

SURE = 0.5  # the authors' threshold, for TransNetV2 alone
UNKNOWN = ("fade", "wipe")  # it misses 20 and 93 % of them (benchmarks/shots.py), so its silence says nothing
DOUBTED = 0.05  # below this, a cut or dissolve of ours is taken for motion; chosen, not tuned
CERTAIN = 0.8  # from here on it needs no second opinion; chosen, not tuned
NEAR = 4  # frames


def network_joins(probabilities: Float32[np.ndarray, "t"], *, threshold: float = SURE) -> list[Join]:
    """Runs of frames with which a shot may end, as joins: a single one is a cut, longer ones are dissolves."""
    edges = np.flatnonzero(np.diff(probabilities > threshold, prepend=False, append=False)).reshape(-1, 2)
    return [
        Join(first=first + 1, end=end, kind="cut" if end - first <= 2 else "dissolve")
        for first, end in edges.tolist()
        if end < len(probabilities)
    ]


def agreed(ours: Sequence[Join], probabilities: Float32[np.ndarray, "t"]) -> list[Join]:
    """Ours that the network does not deny, and what the network alone is certain of, in the order of their times."""
    kept = [join for join in ours if join.kind in UNKNOWN or _peak(probabilities, join) >= DOUBTED]
    alone = [
        join
        for join in network_joins(probabilities, threshold=CERTAIN)
        if not any(join.first <= other.end + NEAR and join.end >= other.first - NEAR for other in kept)
    ]
    return sorted([*kept, *alone], key=lambda join: join.first)


def _peak(probabilities: np.ndarray, join: Join) -> float:
    return float(probabilities[max(0, join.first - NEAR) : join.end + NEAR].max(initial=0.0))
