"""Cuts: one frame is of one shot, the next of another."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32

from muybridge.curation.shots.changes import Window
from muybridge.curation.shots.joins import Join

# all thresholds: measured on the films of benchmarks/shots.py and natural_joins.py, parts "tune"
MIN_NEWS = 4.0  # levels
MIN_SHARE = 0.2  # of the pixels; an edge that sweeps over the picture and leaps changes up to 0.16 at once
RATIO = 2.5  # a cut is so many times the usual change before it, and behind it
AROUND, NEXT = 6, 2  # frames on each side that say what is usual; the nearest of them, which a whip pan moves too
HELD = 0.25  # of the larger of two changes in a row: where the smaller is less, pictures are held for two frames
BURST = 8  # frames after which a flash, or something that passed close by, is over
RETURNED = 0.4  # of the news, at most, that are left when the first shot is back


def find_cuts(window: Window) -> tuple[list[Join], list[tuple[int, int]]]:
    """(cuts, bursts): sudden changes that stand out from the motion around them.

    Where the old shot is back soon, it is a burst, such as a flash: the frames that it may reach.
    """
    cuts: list[Join] = []
    bursts: list[tuple[int, int]] = []
    for at, change in _sudden(window):
        if _comes_back(window, at, change):
            bursts.append((max(0, at - BURST), min(at + BURST, len(window))))
        else:
            cuts.append(Join(first=at + 1, end=at + 1, kind="cut"))
    return cuts, bursts


def _sudden(window: Window) -> Iterator[tuple[int, float]]:
    """(frame before the change, levels of news in it)."""
    numbers = np.arange(len(window))
    change = window.news(numbers[:-1], numbers[1:])
    for at in np.flatnonzero(change > MIN_NEWS).tolist():
        usual = max(_usual(change[max(0, at - AROUND) : at][::-1]), _usual(change[at + 1 : at + 1 + AROUND]))
        if change[at] > RATIO * usual and window.differs(at, at + 1).mean() > MIN_SHARE:
            yield at, float(change[at])


def _usual(side: Float32[np.ndarray, "n"]) -> float:
    """The usual one of changes on one side, the nearest first.

    Where film of 15 pictures/s is stored as 30 frames/s every other change is none, whatever moves.
    """
    if len(side) < NEXT:
        return float(side.max(initial=0))
    smaller, larger = np.sort(np.stack([side[:-1], side[1:]]), axis=0)
    if np.median(smaller) < HELD * np.median(larger):
        return max(float(np.median(larger)), float(larger[0]))
    return max(float(np.median(side)), float(side[:NEXT].mean()))


def _comes_back(window: Window, at: int, change: float) -> bool:
    """Whether the frame before the change is much like one soon after it, or the other way round."""
    later = np.arange(at + 2, min(at + 2 + BURST, len(window)))
    earlier = np.arange(max(0, at - BURST), at)
    after = window.news(np.full_like(later, at), later)
    before = window.news(earlier, np.full_like(earlier, at + 1))
    return bool(min([*after, *before], default=np.inf) < RETURNED * change)
