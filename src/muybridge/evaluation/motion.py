"""Figures of movement that need no network: what no motion explains between frames, and which way the subject went."""

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange

from muybridge.core.errors import invalid
from muybridge.media.frames import Frames, Picture

REACH_PX = 6  # of the search at 128 px: no sprite moves further in a twelfth of a second
BLOCK_PX = 8
EDGE_PX = 3
MIN_DIFFERENCE = 60  # of 765: what differs less from the frame's edges is ground


def flicker(film: Frames, *, reach_px: int = REACH_PX) -> float:
    """Mean absolute difference, of 255, between each frame's blocks and their best match in the next frame.

    Blocks of 8x8 px are matched over shifts of up to `reach_px` each way, so movement costs little and what is left is
    light and detail that come and go; new content at edges adds the same to real clips, hence compare with those.
    Raises InvalidInput on a picture.
    """
    if len(film) < 2:
        raise invalid("a film of 1 frame", "flicker is between frames", "give at least two frames")
    frames = rearrange(torch.from_numpy(np.ascontiguousarray(film)).float(), "t h w c -> t c h w")
    before, after = frames[:-1], F.pad(frames[1:], (reach_px,) * 4, mode="replicate")
    height, width = frames.shape[2:]
    best = torch.full((len(before), height // BLOCK_PX, width // BLOCK_PX), torch.inf)
    for down in range(2 * reach_px + 1):
        for right in range(2 * reach_px + 1):
            moved = after[:, :, down : down + height, right : right + width]
            best = torch.minimum(best, F.avg_pool2d((before - moved).abs().mean(1), BLOCK_PX))
    return float(best.mean())


def travel(film: Frames) -> tuple[float, float]:
    """How far the foreground's middle goes from the first to the last frame: right and down, in widths and heights.

    Foreground is what differs from the median colour of its row's ends, so the ground must be plain or level.
    """
    first, last = _centre(film[0]), _centre(film[-1])
    return last[0] - first[0], last[1] - first[1]


def _centre(frame: Picture) -> tuple[float, float]:
    pixels = frame.astype(float)
    ends = np.concatenate([pixels[:, :EDGE_PX], pixels[:, -EDGE_PX:]], axis=1)
    weight = np.clip(np.abs(pixels - np.median(ends, axis=1, keepdims=True)).sum(axis=2) - MIN_DIFFERENCE, 0, None)
    total = max(float(weight.sum()), 1e-6)
    height, width = weight.shape
    x = float((weight.sum(axis=0) * np.arange(width)).sum()) / total / width
    y = float((weight.sum(axis=1) * np.arange(height)).sum()) / total / height
    return x, y
