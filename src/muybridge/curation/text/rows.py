"""Boxes put together: side by side in one frame to rows, the rows of several frames that lie alike to lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from muybridge.curation.clip import Box
from muybridge.curation.text.reader import TextBox

MIN_SHARED = 0.5  # of the lower box's height, for two boxes of one row
MAX_GAP = 3.0  # between boxes of one row, in their heights: wider than any space between words
MAX_DRIFT = 0.4  # of the height, between the bands of one line in two frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Words side by side in frame `frame` of a clip."""

    frame: int
    box: Box
    slant_degrees: float
    score: float = 1.0

    @property
    def height_px(self) -> int:
        """Of the box."""
        return self.box[3] - self.box[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A place where rows of text stand in some of the frames that were looked at, with equal words or others."""

    rows: tuple[Row, ...]

    @property
    def box(self) -> Box:
        """Round all of its rows."""
        return around(row.box for row in self.rows)


def around(boxes: Iterable[Box]) -> Box:
    """The smallest box that holds them all; there is at least one."""
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def area(box: Box) -> int:
    """In pixels; 0 where it is empty."""
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


def inside(box: Box, frame: Box) -> Box:
    """The part of a box inside another, in the other's pixels; perhaps empty."""
    left, top, right, bottom = frame
    x0, y0, x1, y1 = max(box[0], left), max(box[1], top), min(box[2], right), min(box[3], bottom)
    return x0 - left, y0 - top, max(x0, x1) - left, max(y0, y1) - top


def rows_of(boxes: Sequence[TextBox], *, frame: int) -> list[Row]:
    """The rows of one frame, from left to right boxes joined that share their height and lie close."""
    rows: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda each: each.box[0]):
        home = next((row for row in rows if _continues(row[-1].box, box.box)), None)
        if home is None:
            rows.append([box])
        else:
            home.append(box)
    return [_joined(row, frame=frame) for row in rows]


def lines_of(rows: Iterable[Row]) -> list[Line]:
    """Rows in the order of their frames, put together where their bands and heights agree and they overlap across."""
    lines: list[list[Row]] = []
    for row in rows:
        home = next((line for line in lines if any(_same_band(each, row) for each in line)), None)
        if home is None:
            lines.append([row])
        else:
            home.append(row)
    return [Line(rows=tuple(line)) for line in lines]


def _continues(left: Box, right: Box) -> bool:
    heights = left[3] - left[1], right[3] - right[1]
    shared = min(left[3], right[3]) - max(left[1], right[1])
    is_alike = max(heights) < 2 * min(heights)
    return is_alike and shared >= MIN_SHARED * min(heights) and right[0] - left[2] <= MAX_GAP * max(heights)


def _joined(boxes: Sequence[TextBox], *, frame: int) -> Row:
    longest = max(boxes, key=lambda each: each.box[2] - each.box[0])
    box = around(each.box for each in boxes)
    return Row(frame=frame, box=box, slant_degrees=longest.slant_degrees, score=longest.score)


def _same_band(first: Row, second: Row) -> bool:
    drift = MAX_DRIFT * max(first.height_px, second.height_px)
    overlap = min(first.box[2], second.box[2]) - max(first.box[0], second.box[0])
    is_level = abs(first.box[1] - second.box[1]) <= drift and abs(first.box[3] - second.box[3]) <= drift
    return is_level and overlap > 0
