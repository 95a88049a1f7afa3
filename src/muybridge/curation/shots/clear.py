"""The frame that a clip begins with: a clear one, as image-to-video is trained to go on from it."""

import numpy as np

from muybridge.media.frames import Frames, Picture

SAMPLES = 9  # frames of a clip that its usual sharpness is taken from
GREEN = np.array([77, 150, 29], np.int32)  # ITU-R BT.601 luma in 1/256


def sharpness(picture: Picture) -> float:
    """Variance of the Laplacian of the luma."""
    y = (picture @ GREEN) >> 8
    edges = 4 * y[1:-1, 1:-1] - y[:-2, 1:-1] - y[2:, 1:-1] - y[1:-1, :-2] - y[1:-1, 2:]
    return float(edges.var()) if edges.size else 0.0


def clear_start(frames: Frames, *, within: int, clear: float) -> tuple[int, float]:
    """(frames to leave out before the first clear one, its sharpness as a part of the clip's median). Paper 3.1.

    A frame is clear from `clear` of the median on. Where none of the first `within` is, the sharpest of them is taken.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    usual = max(float(np.median([sharpness(frames[index]) for index in chosen])), 1e-9)
    ratios: list[float] = []
    for picture in frames[: max(within, 0) + 1]:
        ratios.append(sharpness(picture) / usual)
        if ratios[-1] >= clear:
            break
    best = int(np.argmax(ratios))
    return best, ratios[best]
