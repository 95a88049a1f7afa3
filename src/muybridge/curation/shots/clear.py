"""The frame that a clip begins with: a clear one, as image-to-video is trained to go on from it."""

import numpy as np

from muybridge.curation.measures.blur import sharpness
from muybridge.curation.measures.looks import grey
from muybridge.media.frames import Frames

SAMPLES = 9  # frames of a clip that its usual sharpness is taken from


def clear_start(frames: Frames, *, within: int, clear: float) -> tuple[int, float]:
    """(frames to leave out before the first clear one, its sharpness as a part of the clip's median). Paper 3.1.

    A frame is clear from `clear` of the median on. Where none of the first `within` is, the sharpest of them is taken.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    usual = max(float(np.median([sharpness(grey(frames[index])) for index in chosen])), 1e-9)
    ratios: list[float] = []
    for picture in frames[: max(within, 0) + 1]:
        ratios.append(sharpness(grey(picture)) / usual)
        if ratios[-1] >= clear:
            break
    best = int(np.argmax(ratios))
    return best, ratios[best]
