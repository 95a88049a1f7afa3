"""Clips of bright discs, which the detector of trials takes for faces, on a ground of coloured noise."""

import numpy as np

from muybridge.curation.clip import Clip, Origin

HEIGHT, WIDTH, FPS = 48, 64, 12.0


def film(discs, *, num_frames=13, seed=0):
    """Frames; discs: by frame, tuples of x, y, radius."""
    ground = np.random.default_rng(seed).integers(0, 150, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    frames = np.repeat(ground[None], num_frames, 0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    for number, placed in discs.items():
        for x, y, radius in placed:
            frames[number][np.hypot(columns - x, rows - y) <= radius] = 255
    return frames


def clip(frames, *, has_consent=False, values=None):
    """The frames as a clip of a source with or without consent."""
    height, width = frames.shape[1:3]
    origin = Origin(id="a", uri="a.mp4", width_px=width, height_px=height, fps=FPS, has_consent=has_consent)
    seconds = len(frames) / FPS
    return Clip(
        id="b", origin=origin, start_s=0.0, end_s=seconds, frames=frames, fps=FPS, crop=(0, 0, width, height),
        values=values or {},
    )  # fmt: skip
