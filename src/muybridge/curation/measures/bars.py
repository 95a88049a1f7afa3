"""Where bars of one colour end and the picture begins, by the evidence of many frames.

A line of pixels belongs to a bar while nearly all of it has the bar's colour, or while both of its ends have: then it
holds a subtitle. A bar is believed only where the picture behind it starts on a straight line: most of the next lines'
length must differ from the bar somewhere in the film. So a dark scene, a night sky or a black stage is not cropped.
"""

import numpy as np
from jaxtyping import Bool, Float

from muybridge.curation.clip import Box
from muybridge.media.frames import Frames

NEAR = 10  # levels from the bar's colour that coding leaves (convention; H.264 at CRF 28 measured: 6)
FLAT_SHARE = 0.96  # of a line in a bar, of all frames together
TEXT_SHARE = 0.25  # of a line with a subtitle that is still bar
END_SHARE = 0.06  # of a line at each end, where subtitles do not reach
STRAIGHT_SHARE = 0.6  # of the picture's first lines that must differ from the bar
FIRST_LINES = 4
MAX_SHARE = 0.42  # of a side that one bar may take
SIDES = ("top", "bottom", "left", "right")


def bars(frames: Frames) -> Box:
    """The picture without its bars. Left, top, right, bottom in pixels; the whole where there are none."""
    left, top, right, bottom = 0, 0, frames.shape[2], frames.shape[1]
    for _ in range(2):  # bars above a picture that has bars beside it as well show only when those are gone
        before = left, top, right, bottom
        for side in SIDES:
            depth = _depth(_from_outside(frames[:, top:bottom, left:right], side))
            left, right = left + depth * (side == "left"), right - depth * (side == "right")
            top, bottom = top + depth * (side == "top"), bottom - depth * (side == "bottom")
        if before == (left, top, right, bottom):
            break
    return left, top, right, bottom


def _from_outside(frames: Frames, side: str) -> Frames:
    """A view of the frames whose first row is the outermost line of `side`."""
    turned = frames if side in ("top", "bottom") else frames.transpose(0, 2, 1, 3)
    return turned if side in ("top", "left") else turned[:, ::-1]


def _depth(frames: Frames) -> int:
    """How many of the first rows are a bar."""
    reach = int(MAX_SHARE * frames.shape[1])
    if reach < 1 or _is_near(frames[:, :1]).mean() < FLAT_SHARE:
        return 0
    near = _is_near(frames[:, : reach + FIRST_LINES])
    share = near.mean((0, 2))
    end = max(1, round(END_SHARE * near.shape[2]))
    ends = np.minimum(near[:, :, :end].mean((0, 2)), near[:, :, -end:].mean((0, 2)))
    is_flat = share >= FLAT_SHARE
    is_bar = is_flat | ((ends >= FLAT_SHARE) & (share >= TEXT_SHARE))
    run = int(np.argmin(is_bar)) if not is_bar.all() else len(is_bar)
    flat = np.flatnonzero(is_flat[:run])
    if not len(flat) or flat[-1] >= reach:
        return 0
    depth = int(flat[-1]) + 1
    differs = (~near[:, depth : depth + FIRST_LINES]).any((0, 1))
    return _behind_the_blend(frames, depth) if differs.mean() >= STRAIGHT_SHARE else 0


def _is_near(frames: Frames) -> Bool[np.ndarray, "t rows columns"]:
    """Which pixels have the colour of the outermost row's middle value."""
    colour = np.rint(np.median(frames[:, 0].reshape(-1, 3), axis=0)).astype(np.uint8)
    red, green, blue = np.moveaxis(np.maximum(frames, colour) - np.minimum(frames, colour) <= NEAR, -1, 0)
    return red & green & blue


def _behind_the_blend(frames: Frames, depth: int) -> int:
    """One row more where scaling has mixed the picture's first one with the bar."""
    rows = _away(frames[:, [depth, depth + 2]], frames[:, :1])
    return depth + int(rows[0] < 0.6 * rows[1])


def _away(rows: Frames, outermost: Frames) -> Float[np.ndarray, " k"]:
    """How far rows are from the outermost one, in mean levels."""
    colour = np.median(outermost.reshape(-1, 3), axis=0)
    return np.abs(rows.astype(np.float32) - colour).mean((0, 2, 3))
