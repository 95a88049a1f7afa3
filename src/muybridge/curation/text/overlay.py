"""Whether a line of text was laid over the film or stands in the scene.

What is laid over stays on its pixels while the picture around it changes, or comes and goes while the picture stays;
what stands in the scene moves with it. Where nothing moves at all, looks decide: surely text, level, of strong
contrast, placed as captions are.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from muybridge.curation.clip import Box
from muybridge.curation.text.pixels import Grey, grey, shifted_match
from muybridge.curation.text.rows import Line, Row
from muybridge.media.frames import Frames

Fate = Literal["held", "still", "moved", "changed", "lost"]

NEAR_S = 0.25  # after which text that moves has moved by a pixel or more, and captions seldom change
REACH = 0.06  # of the short side, how far a shift is looked for
MIN_SAME = 0.7  # correlation of a patch with itself after a while: compression and a background seen between letters
MIN_SHIFTED = 0.65  # correlation at another place that tells a movement ...
SHIFT_GAIN = 0.12  # ... by so much more than at the same place
MAX_CHANGED = 0.45  # correlation of other words, or none, at the same place
BACKGROUND_LEVELS = 3.0  # median change of the pixels around, above sensor noise, where the picture moves
MAX_SLANT_DEGREES = 4.0  # short words in italics seem to slant
SURE = 0.6  # score
CENTRED = 0.03  # of the width, how far a caption's middle lies from the picture's
FIRST, LAST = 0.25, 0.65  # of the height: captions lie above the one or below the other
MIN_CONTRAST = 90  # levels from the ground to the ink


class Film:
    """The frames of a clip with their lumas, each computed once."""

    def __init__(self, *, frames: Frames, fps: float) -> None:
        self.frames = frames
        self.fps = fps
        self._greys: dict[int, Grey] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Height, width."""
        return self.frames.shape[1], self.frames.shape[2]

    def grey(self, index: int) -> Grey:
        """The luma of a frame."""
        if index not in self._greys:
            self._greys[index] = grey(self.frames[index])
        return self._greys[index]


def is_overlaid(line: Line, film: Film, *, looked_at: Sequence[int]) -> bool:
    """Whether a line was laid over the film. looked_at: the frames in which text was looked for."""
    rows = [row for row in line.rows if abs(row.slant_degrees) <= MAX_SLANT_DEGREES]
    is_sure = any(row.score >= SURE for row in rows)
    if 2 * len(rows) <= len(line.rows) or not (is_sure or 2 * len(rows) > len(looked_at)):
        return False
    lag = max(1, round(NEAR_S * film.fps))
    near = [fate(row, film, other=other) for row in rows for other in _beside(row.frame, lag, len(film.frames))]
    if any(each == "moved" for each in near):
        return False
    stays = sum(each in ("held", "still") for each in near)
    if near and 2 * stays < len(near):
        return False
    elsewhere = sorted({0, *looked_at, len(film.frames) - 1})
    far = [fate(row, film, other=other) for row in rows for other in elsewhere if other != row.frame]
    if sum(each == "moved" for each in far) > len(far) // 4:
        return False
    if {"held", "changed"} & {*near, *far}:
        return True
    return _looks_drawn(line, film)


def fate(row: Row, film: Film, *, other: int) -> Fate:
    """What has become of a row's pixels in another frame."""
    now, then = film.grey(row.frame), film.grey(other)
    height, width = film.size
    left, top, right, bottom = row.box
    reach = max(2, round(REACH * min(height, width)))
    window = max(0, left - reach), max(0, top - reach), min(width, right + reach), min(height, bottom + reach)
    found = shifted_match(_cut(now, row.box), _cut(then, window))
    x, y = left - window[0], top - window[1]
    here = float(found[y, x])
    best_y, best_x = np.unravel_index(int(found.argmax()), found.shape)
    shift = max(abs(int(best_x) - x), abs(int(best_y) - y))
    if shift >= 1 and found.max() >= MIN_SHIFTED and found.max() >= here + SHIFT_GAIN:
        return "moved"
    is_other = _change_around(row.box, now, then) >= BACKGROUND_LEVELS
    if here < MIN_SAME:
        return "changed" if here <= MAX_CHANGED and not is_other else "lost"
    return "held" if is_other else "still"


def _beside(index: int, lag: int, count: int) -> list[int]:
    return [other for other in (index - lag, index + lag) if 0 <= other < count]


def _cut(picture: Grey, box: Box) -> Grey:
    return picture[box[1] : box[3], box[0] : box[2]]


def _change_around(box: Box, now: Grey, then: Grey) -> float:
    """The median change, in levels, of the pixels in a band as high as the box above and below it."""
    left, top, right, bottom = box
    high = bottom - top
    bands = ((max(0, top - high), top), (bottom, bottom + high))
    changes = [np.abs(now[a:b, left:right].astype(np.int16) - then[a:b, left:right]).ravel() for a, b in bands]
    joined = np.concatenate(changes)
    return float(np.median(joined)) if joined.size else 0.0


def _looks_drawn(line: Line, film: Film) -> bool:
    """By all of its rows: where nothing moves, one that is found in part is found whole in another frame."""
    height, width = film.size
    left, top, right, bottom = line.box
    row = line.rows[len(line.rows) // 2]
    is_placed = bottom <= FIRST * height or top >= LAST * height
    is_centred = abs((left + right) / 2 - width / 2) <= CENTRED * width
    darkest, brightest = np.quantile(_cut(film.grey(row.frame), row.box), (0.05, 0.97))
    return row.score >= SURE and is_placed and is_centred and brightest - darkest >= MIN_CONTRAST
