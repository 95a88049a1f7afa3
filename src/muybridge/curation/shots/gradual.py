"""Dissolves and wipes: frames between that are mixtures of both ends, or patchworks of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from muybridge.curation.shots.changes import SWITCH_FRAMES, Window
from muybridge.curation.shots.joins import Join

# all thresholds: measured on the films of benchmarks/shots.py and natural_joins.py, parts "tune"
HALVES = (20, 16, 12, 9, 7, 5)  # frames on both sides of the middle
MIN_NEWS = 6.0  # levels between both ends
MIN_RMS = 10.0
MAX_BEND = 0.1  # see `_Passage`; frames that have nothing to do with both ends have 0.5
MAX_STEP = 0.45  # of the way from a frame to the next: more is a cut
MIDDLE = (0.3, 0.7)  # of the way, half-way through
MAX_DETAIL = 0.78  # what is left of the detail of both ends in a mixture of unlike frames: 0.5 if they are mixed evenly
NEW_DETAIL = 30.0  # what neither end shows, of the news between them, counts so much: mixtures show up to 0.003 of it
MIXED_BEND = -0.1  # a mixture has -s (1 - s), up to -0.25; a patchwork 0
MIN_CHANGED = 0.5  # share of pixels in which the ends of a wipe differ
MIN_WIPED = 0.35  # share of those that switch from the one to the other at once; the rest is too much alike to tell
AT_ONCE = 4  # frames that a switch is seen for, soft edges included
MAX_ROUGH = 0.2  # of the times at which pixels switch: an edge that passes has 0.1, things that move 0.3 and more
MIN_STRAIGHT = 0.78  # of the variance of those times that an edge explains: wipes 0.81 to 1, motion mostly below 0.6
EDGE = 0.06  # of the way: where it begins and ends


@dataclass(frozen=True, kw_only=True, slots=True)
class _Passage:
    """Frames `first` up to `last` as a way from the one to the other.

    `shares` (0 at first, 1 at last) are the frames' projections onto the line between both; `bends` the inner products
    of their differences from both, of the squared distance: -s (1 - s) on the line, 0 where every pixel is that of
    one end, above where a frame is something else, as in motion.
    """

    first: int
    last: int
    shares: np.ndarray
    bends: np.ndarray
    weight: float


def find_gradual(window: Window, taken: Sequence[tuple[int, int]]) -> list[Join]:
    """Dissolves and wipes that neither begin, nor end, nor lie in frames (first, end) that something else has taken."""
    is_taken = np.zeros(len(window), bool)
    for first, end in taken:
        is_taken[max(0, first) : end] = True
    joins: list[Join] = []
    for passage in sorted(_unlike(window, list(_passages(window, is_taken))), key=lambda passage: -passage.weight):
        if is_taken[passage.first : passage.last + 1].any():
            continue
        if (join := _join(window, passage)) is not None:
            is_taken[passage.first : passage.last + 1] = True
            joins.append(join)
    return joins


def _passages(window: Window, is_taken: np.ndarray) -> Iterator[_Passage]:
    """Stretches whose frames go steadily from one end to another that is quite different."""
    for half in HALVES:
        middles = np.arange(half, len(window) - half)
        if not len(middles):
            continue
        firsts, lasts = middles - half, middles + half
        inside = middles[:, None] + np.arange(1 - half, half)
        whole = np.maximum(window.distance(firsts, lasts), 1e-9)[:, None]
        from_first, from_last = (window.distance(inside, ends[:, None]) for ends in (firsts, lasts))
        shares, bends = (from_first - from_last + whole) / 2 / whole, (from_first + from_last - whole) / 2 / whole
        steps = np.abs(np.diff(shares, axis=1, prepend=0, append=1)).max(axis=1)
        way = shares[:, half - 1]
        is_like_one = (whole[:, 0] > MIN_RMS**2) & (bends.mean(axis=1) < MAX_BEND) & (steps < MAX_STEP)
        is_like_one &= (way > MIDDLE[0]) & (way < MIDDLE[1])
        for at in np.flatnonzero(is_like_one).tolist():
            weight = float(np.sqrt(whole[at, 0]) * (1 - 2 * abs(shares[at].mean() - 0.5)))
            first, last = int(firsts[at]), int(lasts[at])
            if not is_taken[first : last + 1].any():
                yield _Passage(first=first, last=last, shares=shares[at], bends=bends[at], weight=weight)


def _unlike(window: Window, passages: Sequence[_Passage]) -> list[_Passage]:
    """Those whose ends have nothing to do with each other."""
    if not passages:
        return []
    firsts, lasts = np.array([(passage.first, passage.last) for passage in passages]).T
    return [passages[number] for number in np.flatnonzero(window.news(firsts, lasts) >= MIN_NEWS).tolist()]


def _join(window: Window, passage: _Passage) -> Join | None:
    on_the_way = (passage.shares > EDGE) & (passage.shares < 1 - EDGE)
    inside = np.flatnonzero(on_the_way) + passage.first + 1
    if not len(inside):
        return None
    first, end = int(inside[0]), int(inside[-1]) + 1
    middle = (passage.shares > 0.25) & (passage.shares < 0.75)
    bend = float(passage.bends[middle].mean()) if middle.any() else 0.0
    if bend < MIXED_BEND and _loses_detail(window, passage):
        return Join(first=first, end=end, kind="dissolve")
    return Join(first=first, end=end, kind="wipe") if _is_wiped(window, passage) else None


def _loses_detail(window: Window, passage: _Passage) -> bool:
    """Whether a frame between has less detail than its share of both ends': mixtures have, moved frames have not.

    Turbid water that drifts has little as well, but shows what neither end does.
    """
    nearest = int(np.abs(passage.shares - 0.5).argmin())
    first, middle, last = passage.first, passage.first + 1 + nearest, passage.last
    expected = window.detail[first] + (window.detail[last] - window.detail[first]) * passage.shares[nearest]
    new = window.outside_both(middle, first, last) / window.news(np.array([first]), np.array([last]))[0]
    return bool(window.detail[middle] < (MAX_DETAIL - NEW_DETAIL * new) * expected)


def _is_wiped(window: Window, passage: _Passage) -> bool:
    """Whether pixels go over from one end to the other once, at once, and when an edge would pass them."""
    is_changed = window.differs(passage.first, passage.last)
    if is_changed.mean() < MIN_CHANGED:
        return False
    switches = window.switches[passage.first : passage.last - SWITCH_FRAMES + 1]
    num_switches = switches[0] + (switches[1:] & ~switches[:-1]).sum(axis=0)
    is_wiped = is_changed & (num_switches == 1) & (switches.sum(axis=0) <= AT_ONCE)
    if is_wiped.sum() < MIN_WIPED * is_changed.sum():
        return False
    first = switches.argmax(axis=0)
    is_smooth = _roughness(first, is_wiped) < MAX_ROUGH
    return is_smooth and _straightness(first + (switches.sum(axis=0) - 1) / 2, is_wiped) > MIN_STRAIGHT


def _straightness(times: Float64[np.ndarray, "h w"], is_known: Bool[np.ndarray, "h w"]) -> float:
    """How much of the variance of times the edge explains that does so best, moving at one speed.

    A straight one, two that part or meet, or a circle around the middle. Things that move or come near cover the
    picture as their outline has it, and not at one speed.
    """
    height, width = times.shape
    row, column = np.nonzero(is_known)
    x, y = (column + 0.5) / width - 0.5, (row + 0.5) / height - 0.5
    seen = np.asarray(times[is_known], np.float64)
    edges = ((x, y), (abs(x),), (abs(y),), (np.hypot(x, y),))
    bases = [np.stack([*edge, np.ones_like(x)], axis=1) for edge in edges]
    rests = [float(np.square(seen - _fitted(basis, seen)).sum()) for basis in bases]
    return 1 - min(rests) / max(float(seen.var() * len(seen)), 1e-9)


def _fitted(basis: Float64[np.ndarray, "n k"], values: Float64[np.ndarray, "n"]) -> Float64[np.ndarray, "n"]:
    return basis @ np.linalg.lstsq(basis, values, rcond=None)[0]


def _roughness(times: Int64[np.ndarray, "h w"], is_known: Bool[np.ndarray, "h w"]) -> float:
    """Mean square difference of neighbours, of that of any two pixels: Geary's c, 0 where smooth and 1 at random."""
    squares = [
        np.square(np.diff(times, axis=axis))[np.logical_and(*(np.delete(is_known, end, axis) for end in (0, -1)))]
        for axis in (0, 1)
    ]
    return float(np.concatenate(squares).mean() / max(2 * times[is_known].var(), 1e-9))
