"""Which frames of a clip, and which parts of a frame, the measurements look at."""

import numpy as np
from jaxtyping import UInt8

from muybridge.curation.opencv import opencv
from muybridge.media.frames import Frames, Picture

Grey = UInt8[np.ndarray, "_h _w"]


def spread(num_frames: int, count: int) -> list[int]:
    """At most `count` numbers of frames, evenly over a clip and away from its very ends: each stands for a stretch."""
    count = min(count, num_frames)
    return [int((2 * number + 1) * num_frames / (2 * count)) for number in range(count)]


def grey(picture: Picture) -> Grey:
    """Luma (BT.601), uint8."""
    return opencv().cvtColor(picture, opencv().COLOR_RGB2GRAY)


def shrunk(picture: np.ndarray, short_side_px: int) -> np.ndarray:
    """The picture with this short side, by area; one that is smaller already as it is."""
    height, width = picture.shape[:2]
    scale = short_side_px / min(height, width)
    if scale >= 1:
        return picture
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return opencv().resize(picture, size, interpolation=opencv().INTER_AREA)


def samples(frames: Frames, count: int) -> list[Picture]:
    """The frames that stand for a clip."""
    return [frames[number] for number in spread(len(frames), count)]
