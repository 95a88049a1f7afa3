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
MIN_SIDE_PX = 12  # OpenCV's patches of 8 pixels and its pyramid find no room in less
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
    OpenCV's number of threads. Raises InvalidInput on fewer than two frames and on frames below `MIN_SIDE_PX`,
    MissingExtra without OpenCV.
    """
    return flow_field(frames, num_pairs=num_pairs, grid=grid, gap=gap).cells


def flow_field(frames: Frames, *, num_pairs: int, grid: int, gap: int = 1) -> FlowField:
    """As `flow_grid`, and how far it can be trusted."""
    if len(frames) < 2 or num_pairs < 1 or grid < 1 or gap < 1:
        given = f"{len(frames)} frames, num_pairs={num_pairs}, grid={grid}, gap={gap}"
        raise invalid(given, "flow is between frames, and counts are positive", "give at least two frames")
    height, width = frames.shape[1:3]
    if min(height, width) < MIN_SIDE_PX:
        raise invalid(f"frames of {width}x{height}", f"flow needs {MIN_SIDE_PX} pixels each way", "enlarge them")
    gap = min(gap, len(frames) - 1)
    starts = np.unique(np.linspace(0, len(frames) - 1 - gap, min(num_pairs, len(frames) - gap)).round().astype(int))
    with one_thread():
        found = [_pair(frames[start], frames[start + gap], grid) for start in starts.tolist()]
    cells, texture, likeness = zip(*found, strict=True)
    return FlowField(cells=np.stack(cells), texture=np.stack(texture), likeness=np.array(likeness, np.float32))


def _pair(first: Picture, second: Picture, grid: int) -> tuple[np.ndarray, np.ndarray, float]:
    cv2 = opencv()
    before, after = levelled(first, SIDE_PX), levelled(second, SIDE_PX)
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(before, after, None)
    cells, texture = celled(flow, before, grid)
    return cells, texture, _likeness(before, brought_back(after, flow))


def celled(flow: np.ndarray, before: np.ndarray, grid: int) -> tuple[np.ndarray, np.ndarray]:
    """Flow (h, w, 2) in pixels as the cells' movement in short sides, mostly where there is something to follow; and
    the cells' texture.
    """
    cv2 = opencv()
    change = np.abs(cv2.Sobel(before, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(before, cv2.CV_32F, 0, 1))
    size = (grid, grid)
    weight = cv2.resize(change, size, interpolation=cv2.INTER_AREA)
    moved = [cv2.resize(flow[..., axis] * change, size, interpolation=cv2.INTER_AREA) for axis in (0, 1)]
    cells = np.stack(moved, -1) / np.maximum(weight, 1e-3)[..., None] / min(before.shape)
    return cells.astype(np.float32), weight.astype(np.float32)


def brought_back(after: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The second frame where the first one was."""
    cv2, (height, width) = opencv(), after.shape
    column, row = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        after, column + flow[..., 0], row + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def levelled(picture: Picture, side_px: int) -> np.ndarray:
    """Small, grey, of a common mean and contrast."""
    small = shrunk(grey(picture), side_px).astype(np.float32)
    gain = _CONTRAST / max(float(small.std()), MIN_DEVIATION)
    return np.clip((small - small.mean()) * min(gain, _CONTRAST) + 128, 0, 255).astype(np.uint8)


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    one, other = (each.astype(np.float32) - each.mean() for each in (first, second))
    scale = float(np.sqrt((one * one).mean() * (other * other).mean()))
    return 1.0 if scale < 1 else float((one * other).mean()) / scale
