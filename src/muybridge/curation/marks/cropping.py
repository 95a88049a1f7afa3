"""The crop that is rid of the most marks for a little of the picture."""

import math
from collections.abc import Sequence
from itertools import product

from muybridge.curation.clip import Box
from muybridge.curation.marks.detect import Mark

MAX_CROPPED = 0.15  # of the area
MARGIN = 0.01  # of the shorter side, kept off a box, whose sides are not known better
Span = tuple[int, int]


def crop_without(marks: Sequence[Mark], *, width_px: int, height_px: int) -> Box:
    """The box inside a frame of this size that leaves out the marks whose scores sum up highest; the largest of those.

    It has even sides where something is cut off, is the whole frame where nothing can be gained, and never less than
    85 % of it.
    """
    margin = MARGIN * min(width_px, height_px)
    across = _spans([(mark.box[0], mark.box[2]) for mark in marks], width_px, margin)
    down = _spans([(mark.box[1], mark.box[3]) for mark in marks], height_px, margin)
    least = (1 - MAX_CROPPED) * width_px * height_px
    inside = [
        (left, top, right, bottom)
        for (left, right), (top, bottom) in product(across, down)
        if (right - left) * (bottom - top) >= least
    ]
    return max(inside, key=lambda box: (round(_removed(marks, box), 6), area(box)))


def is_outside(mark: Mark, box: Box) -> bool:
    """Whether nothing of the mark lies in the box."""
    left, top, right, bottom = mark.box
    return right <= box[0] or bottom <= box[1] or left >= box[2] or top >= box[3]


def area(box: Box) -> int:
    """In pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def _removed(marks: Sequence[Mark], box: Box) -> float:
    return sum(mark.score for mark in marks if is_outside(mark, box))


def _spans(sides: Sequence[Span | tuple[float, float]], length: int, margin: float) -> list[Span]:
    """Stretches of one axis that begin after a mark or at 0, and end before one or at `length`."""
    starts = {0, *(min(length, math.ceil(end + margin)) for _, end in sides)}
    ends = {length, *(max(0, math.floor(start - margin)) for start, _ in sides)}
    spans = {(start, end - (end - start) % 2 if end - start < length else end) for start in starts for end in ends}
    return sorted(span for span in spans if span[1] - span[0] >= length * (1 - MAX_CROPPED))
