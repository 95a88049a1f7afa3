"""The crop that takes most text away for the least picture."""

import itertools
from collections.abc import Sequence

from muybridge.curation.clip import Box
from muybridge.curation.text.rows import area, inside

WHOLE = 0.75  # of a box that stays: half a line of letters reads worse than a whole one
MAX_BOXES = 6  # the largest ones are chosen between: 7 to the power of 4 crops


def best_cut(boxes: Sequence[Box], *, frame: Box, budget: int) -> Box:
    """The part of `frame` to keep, of even sides: the largest area of `boxes` is outside it, and then most is kept.

    budget: pixels that may go. No cut goes through a box, but for its outer quarter. Where nothing can go, the frame.
    """
    chosen = sorted(boxes, key=area, reverse=True)[:MAX_BOXES]
    left, top, right, bottom = frame
    sides = (
        [left, *(box[2] for box in chosen)],
        [top, *(box[3] for box in chosen)],
        [right, *(box[0] for box in chosen)],
        [bottom, *(box[1] for box in chosen)],
    )
    best, best_gain = frame, (0, 0)
    for sides_kept in itertools.product(*(sorted(set(side)) for side in sides)):
        kept = _even(sides_kept, frame=frame)
        lost = area(frame) - area(kept)
        if lost > budget or any(_is_cut_through(box, kept, frame=frame) for box in boxes):
            continue
        gone = sum(area(box) for box in boxes if not area(inside(box, kept)))
        if (gone, -lost) > best_gain:
            best, best_gain = kept, (gone, -lost)
    return best


def _is_cut_through(box: Box, kept: Box, *, frame: Box) -> bool:
    return 0 < area(inside(box, kept)) < WHOLE * area(inside(box, frame))


def _even(box: tuple[int, ...], *, frame: Box) -> Box:
    """Of even sides, as most codecs ask; the pixel goes on a side that is cut anyway."""
    left, top, right, bottom = box
    if (right - left) % 2 and (left, right) != (frame[0], frame[2]):
        left, right = (left + 1, right) if left > frame[0] else (left, right - 1)
    if (bottom - top) % 2 and (top, bottom) != (frame[1], frame[3]):
        top, bottom = (top + 1, bottom) if top > frame[1] else (top, bottom - 1)
    return left, top, right, bottom
