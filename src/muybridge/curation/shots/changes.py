"""Our own detector of joins: how much of a frame cannot have come from the one before it."""

import numpy as np
from jaxtyping import Float32, UInt8

from muybridge.curation.shots.joins import Join, Thumbnails

REACH_PX = 3  # of a thumbnail: things move so far between neighbours without being news
MIN_CHANGE = 6.0
RATIO = 2.5  # a cut changes so many times what its neighbours do
AROUND = 6  # neighbours on each side


def find_joins(thumbnails: Thumbnails) -> list[Join]:
    """The joins of a window."""
    if len(thumbnails) < 2:
        return []
    change = news(thumbnails[:-1], thumbnails[1:])
    padded = np.pad(change, AROUND, mode="reflect" if len(change) > AROUND else "edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * AROUND + 1)
    others = np.delete(around, AROUND, axis=1)
    level = np.maximum(np.median(others, axis=1), 1.0)
    is_cut = (change > MIN_CHANGE) & (change > RATIO * level) & (change >= others.max(axis=1))
    return [Join(first=int(at) + 1, end=int(at) + 1, kind="cut") for at in np.flatnonzero(is_cut)]


def news(before: Thumbnails, after: Thumbnails) -> Float32[np.ndarray, "t"]:
    """Mean levels by which pixels of one frame lie outside of what the other shows within `REACH_PX` of them.

    Both ways, the larger of the two. Moving by less than that is no news, whatever moves.
    """
    return np.maximum(_outside(after, before), _outside(before, after))


def _outside(frames: Thumbnails, known: Thumbnails) -> Float32[np.ndarray, "t"]:
    high, low = _spread(known, np.maximum), _spread(known, np.minimum)
    above = np.maximum(frames, high) - high
    below = low - np.minimum(frames, low)
    return (above.mean(axis=(1, 2, 3), dtype=np.float32) + below.mean(axis=(1, 2, 3), dtype=np.float32)).astype(
        np.float32
    )


def _spread(frames: Thumbnails, extreme: np.ufunc) -> UInt8[np.ndarray, "t h w 3"]:
    """The largest or smallest level within `REACH_PX`."""
    spread = frames.copy()
    for axis in (1, 2):
        line = spread.copy()
        for shift in range(1, REACH_PX + 1):
            ahead = [slice(None)] * 4
            behind = [slice(None)] * 4
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            extreme(spread[tuple(behind)], line[tuple(ahead)], out=spread[tuple(behind)])
            extreme(spread[tuple(ahead)], line[tuple(behind)], out=spread[tuple(ahead)])
    return spread
