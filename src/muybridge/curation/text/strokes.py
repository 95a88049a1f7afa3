"""Captions found without a network: rows of thin strokes of one brightness, far brighter or darker than around them.

Good enough to crop captions drawn for reading: high contrast, level, a few words. Slanted, faint or ornamental text is
not found, nothing is read, and nothing is cropped from films in which nothing moves.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from muybridge.curation.clip import Box
from muybridge.curation.opencv import opencv
from muybridge.curation.text.pixels import Grey, Region, closed, grey, opened, regions, resized
from muybridge.curation.text.reader import TextBox
from muybridge.media.frames import Picture

SIDE_PX = 288  # the short side that pictures are brought to: letters of captions are 8 to 20 px high there
STROKE_PX = 9  # wider parts are no strokes
SCORE = 0.5  # of all: strokes alone are never a sure sign
MIN_CONTRAST = 60  # levels between ink and what is around it
MIN_HEIGHT_PX, MAX_HEIGHT_PX = 6, 34
MIN_ASPECT = 4.0  # of a row's width to its height: foliage has shorter ones
WORD_GAP_PX = 11  # filled, so that letters and words become a row


class StrokeReader:
    """Finds drawn captions by their strokes; reads nothing."""

    version = 1

    def prepare(self) -> None:
        """Raises MissingExtra without OpenCV."""
        opencv()

    def setup(self) -> None:
        """Load nothing."""

    def detect(self, picture: Picture) -> tuple[TextBox, ...]:
        """Rows of strokes, from top to bottom."""
        height, width = picture.shape[:2]
        scale = SIDE_PX / min(height, width)
        luma = grey(resized(picture, width_px=round(width * scale), height_px=round(height * scale)))
        found = [_scaled(box, 1 / scale, size=(width, height)) for ink in (luma, 255 - luma) for box in _rows(ink)]
        return tuple(TextBox(box=box, score=SCORE) for box in sorted(found, key=lambda box: box[1]))

    def read(self, picture: Picture, boxes: Sequence[Box]) -> tuple[str, ...]:
        """Nothing: an empty string for each box."""
        return tuple("" for _ in boxes)


def _rows(luma: Grey) -> Iterator[Box]:
    """Rows of bright strokes."""
    rise = luma - opened(luma, side_px=STROKE_PX)
    ink = rise >= MIN_CONTRAST
    joined = closed(ink.astype(np.uint8), width_px=WORD_GAP_PX, height_px=1)
    for region in regions(joined, min_pixels=3 * MIN_HEIGHT_PX):
        if _is_like_letters(region, ink):
            yield region.left - 2, region.top - 2, region.right + 2, region.bottom + 2


def _is_like_letters(region: Region, ink: Bool[np.ndarray, "h w"]) -> bool:
    """Whether a region has as many strokes as a row of letters of its height has, as much ink, and none around it."""
    height, width = region.bottom - region.top, region.right - region.left
    if not MIN_HEIGHT_PX <= height <= MAX_HEIGHT_PX or width < MIN_ASPECT * height:
        return False
    inside = ink[region.top : region.bottom, region.left : region.right] & region.mask
    starts = inside[:, 1:] & ~inside[:, :-1]
    middle = slice(height // 4, height - height // 4)
    strokes = starts[middle].sum(1).mean() * height / width  # strokes across, in each square of the row
    fill = float(inside.mean())
    above = ink[max(0, region.top - 2) : region.top, region.left : region.right]
    below = ink[region.bottom : region.bottom + 2, region.left : region.right]
    around = float(np.concatenate([above.ravel(), below.ravel(), [False]]).mean())
    return bool(0.7 <= strokes <= 5.0 and 0.12 <= fill <= 0.6 and around <= 0.35 * fill)


def _scaled(box: Box, scale: float, *, size: tuple[int, int]) -> Box:
    left, top, right, bottom = (value * scale for value in box)
    return max(0, int(left)), max(0, int(top)), min(size[0], int(np.ceil(right))), min(size[1], int(np.ceil(bottom)))
