"""Groups of things that are the same as one another, and as what those are the same as."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Int


def joined(count: int, pairs: Iterable[tuple[int, int]]) -> Int[np.ndarray, " n"]:
    """Of each of `count` things the lowest number of its group (union-find with halved paths)."""
    parent = list(range(count))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for first, second in pairs:
        one, other = sorted((root(int(first)), root(int(second))))
        parent[other] = one
    return np.array([root(place) for place in range(count)], int)
