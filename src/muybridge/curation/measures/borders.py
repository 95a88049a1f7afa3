"""The stage that crops what is no picture: bars of a colour and blurred enlargements of the picture at its sides."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from muybridge.curation.clip import Box, Clip, Value
from muybridge.curation.measures.bars import bars
from muybridge.curation.measures.fill import filled
from muybridge.curation.measures.looks import grey, spread
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column
from muybridge.media.frames import Frames

NUM_FRAMES = 8
EVERY = 3  # of these frames is searched for fills, which need less evidence than bars
MIN_AREA = 0.2  # of the frame that must be left: an upright phone film across is a third
MIN_SIDE_PX = 16
BLACK_MEAN, BLACK_TOP = 20, 48  # levels: mean, and what 99 % of a black frame's pixels stay below
_SPARSE = 8  # every so many rows and columns tell whether a frame is black


class Borders(Measurement):
    """Crops to the picture, on even lines; says how much went and how many frames are black."""

    name = "borders"
    outputs: Mapping[str, Column] = MappingProxyType({"border_share": "float", "black_share": "float"})

    def process(self, clip: Clip) -> Clip:
        """The clip without borders. Raises MissingExtra without OpenCV."""
        black = is_black(clip.frames)
        is_mixed = black.any() and not black.all()
        box = picture_box(clip.frames[~black] if is_mixed else clip.frames)
        height, width = clip.frames.shape[1:3]
        area = (box[2] - box[0]) * (box[3] - box[1])
        values: dict[str, Value] = {"border_share": 1 - area / (width * height), "black_share": float(black.mean())}
        return (clip if area == width * height else clip.cropped(box)).noted(values)


def picture_box(frames: Frames) -> Box:
    """The part of the frames that shows the picture, with even sides where anything is cut off."""
    chosen = frames[spread(len(frames), NUM_FRAMES)]
    height, width = chosen.shape[1:3]
    left, top, right, bottom = bars(chosen)
    inner = filled([grey(np.ascontiguousarray(frame[top:bottom, left:right])) for frame in chosen[::EVERY]])
    right, bottom = left + inner[2], top + inner[3]
    left, top = left + inner[0], top + inner[1]
    box = _even((left, top, right, bottom), width, height)
    is_left_enough = (box[2] - box[0]) * (box[3] - box[1]) >= MIN_AREA * width * height
    return box if is_left_enough and min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE_PX else (0, 0, width, height)


def is_black(frames: Frames) -> np.ndarray:
    """Which frames show next to nothing, bool (t,)."""
    sparse = frames[:, ::_SPARSE, ::_SPARSE].reshape(len(frames), -1)
    return (sparse.mean(1) < BLACK_MEAN) & ((sparse >= BLACK_TOP).mean(1) <= 0.01)


def _even(box: Box, width: int, height: int) -> Box:
    """Sides that were cut, moved inwards so that the width and height are even; uncut pairs of sides as they are."""
    left, top, right, bottom = box
    if right - left < width:
        right -= (right - left) % 2
    if bottom - top < height:
        bottom -= (bottom - top) % 2
    return left, top, right, bottom
