"""Which frames of a clip, and which parts of a frame, the measurements look at."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, UInt8

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


def tiles(picture: Picture, *, side_px: int, count: int) -> UInt8[np.ndarray, "count side side 3"]:
    """`count` tiles of a grid in the middle of the picture, from the busiest to the calmer: the calmest quarter, which
    may be sky or a black bar, is left out. Pictures of fewer tiles give some twice; smaller ones give smaller tiles.
    """
    side = min(side_px, *picture.shape[:2])
    corners = _grid(picture.shape[0], picture.shape[1], side)
    busy = _unrest(grey(picture))
    energies = np.array([busy[top : top + side, left : left + side].mean() for top, left in corners])
    order = np.argsort(-energies, kind="stable")
    last = 0.75 * (len(corners) - 1)
    chosen = [order[round(last * number / max(1, count - 1))] for number in range(count)]
    return np.stack([picture[top : top + side, left : left + side] for top, left in (corners[k] for k in chosen)])


def _grid(height: int, width: int, side: int) -> Sequence[tuple[int, int]]:
    top, left = (height % side) // 2, (width % side) // 2
    return [(y, x) for y in range(top, height - side + 1, side) for x in range(left, width - side + 1, side)]


def _unrest(luma: Grey) -> Float32[np.ndarray, "_h _w"]:
    """How much each pixel differs from its neighbours to the right and below, in levels."""
    levels = luma.astype(np.float32)
    change = np.zeros_like(levels)
    change[:, 1:] += np.abs(np.diff(levels, axis=1))
    change[1:] += np.abs(np.diff(levels, axis=0))
    return change


def samples(frames: Frames, count: int) -> list[Picture]:
    """The frames that stand for a clip."""
    return [frames[number] for number in spread(len(frames), count)]
