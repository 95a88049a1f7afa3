"""Optical flow between frames of a clip on a coarse grid, cheap enough for every clip.

grid = flow_grid(frames, num_pairs=8, grid=8)     # (8, 8, 8, 2): right and down, in short sides of the frame
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from muybridge.core.errors import invalid
from muybridge.curation.measures.looks import grey, shrunk
from muybridge.curation.opencv import one_thread, opencv
from muybridge.media.frames import Frames, Picture

SIDE_PX = 128  # short side at which flow is computed
MIN_DEVIATION = 2.0  # levels: flatter frames are not stretched to the common contrast
_CONTRAST = 48.0  # levels: deviation to which frames are brought, so that flashes and fades are no motion


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowField:
    """Movement of the cells of p pairs of frames.

    cells: right and down, in short sides. texture: how much there is in a cell to be followed, mean change between
    neighbours in levels. likeness (p,): correlation of the first frame with the second one brought back; below about
    0.5 the flow explains nothing, as over a cut.
    """

    cells: Float32[np.ndarray, "p grid grid 2"]
    texture: Float32[np.ndarray, "p grid grid"]
    likeness: Float32[np.ndarray, " p"]


def flow_grid(frames: Frames, *, num_pairs: int, grid: int, gap: int = 1) -> Float32[np.ndarray, "p grid grid 2"]:
    """How the cells of a grid over the whole frame move, right and down, in short sides of the frame per pair.

    Pairs lie evenly over the clip, `gap` frames apart; short clips give fewer. Equal frames give equal bytes, whatever
    OpenCV's number of threads. Raises InvalidInput on fewer than two frames, MissingExtra without OpenCV.
    """
    return flow_field(frames, num_pairs=num_pairs, grid=grid, gap=gap).cells


def flow_field(frames: Frames, *, num_pairs: int, grid: int, gap: int = 1) -> FlowField:
    """As `flow_grid`, and how far it can be trusted."""
    if len(frames) < 2 or num_pairs < 1 or grid < 1 or gap < 1:
        given = f"{len(frames)} frames, num_pairs={num_pairs}, grid={grid}, gap={gap}"
        raise invalid(given, "flow is between frames, and counts are positive", "give at least two frames")
    gap = min(gap, len(frames) - 1)
    starts = np.unique(np.linspace(0, len(frames) - 1 - gap, min(num_pairs, len(frames) - gap)).round().astype(int))
    with one_thread():
        found = [_pair(frames[start], frames[start + gap], grid) for start in starts.tolist()]
    cells, texture, likeness = zip(*found, strict=True)
    return FlowField(cells=np.stack(cells), texture=np.stack(texture), likeness=np.array(likeness, np.float32))


def _pair(first: Picture, second: Picture, grid: int) -> tuple[np.ndarray, np.ndarray, float]:
    cv2 = opencv()
    before, after = _levelled(first), _levelled(second)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(before, after, None)
    height, width = before.shape
    column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    back = cv2.remap(
        after, column + flow[..., 0], row + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    change = np.abs(cv2.Sobel(before, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(before, cv2.CV_32F, 0, 1))
    size = (grid, grid)
    weight = cv2.resize(change, size, interpolation=cv2.INTER_AREA)
    moved = [cv2.resize(flow[..., axis] * change, size, interpolation=cv2.INTER_AREA) for axis in (0, 1)]
    cells = np.stack(moved, -1) / np.maximum(weight, 1e-3)[..., None] / min(height, width)
    return cells.astype(np.float32), weight.astype(np.float32), _likeness(before, back)


def _levelled(picture: Picture) -> np.ndarray:
    """Small, grey, of a common mean and contrast."""
    small = shrunk(grey(picture), SIDE_PX).astype(np.float32)
    gain = _CONTRAST / max(float(small.std()), MIN_DEVIATION)
    return np.clip((small - small.mean()) * min(gain, _CONTRAST) + 128, 0, 255).astype(np.uint8)


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    one, other = (each.astype(np.float32) - each.mean() for each in (first, second))
    scale = float(np.sqrt((one * one).mean() * (other * other).mean()))
    return 1.0 if scale < 1 else float((one * other).mean()) / scale
