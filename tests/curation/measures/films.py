"""Small films whose borders, sharpness and movement are known, and the clips that hold them."""

import numpy as np

from muybridge.curation.clip import Clip, Origin
from muybridge.media.frames import Frames, Picture


def texture(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth blots in colour with fine grain: something to follow everywhere."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(30, 226, (height // 8 + 2, width // 8 + 2, 3))
    rows, columns = np.arange(height) / 8, np.arange(width) / 8
    top, left = rows.astype(int), columns.astype(int)
    down, right = (rows - top)[:, None, None], (columns - left)[None, :, None]
    upper = coarse[top][:, left] * (1 - right) + coarse[top][:, left + 1] * right
    lower = coarse[top + 1][:, left] * (1 - right) + coarse[top + 1][:, left + 1] * right
    smooth = upper * (1 - down) + lower * down
    return np.clip(smooth + rng.normal(0, 6, (height, width, 1)), 0, 255).astype(np.uint8)


def panned(height: int, width: int, *, num_frames: int = 12, step: int = 1, seed: int = 0) -> Frames:
    """The camera slides over a texture by `step` pixels a frame."""
    whole = texture(height, width + step * num_frames, seed)
    return np.stack([whole[:, step * number : step * number + width] for number in range(num_frames)])


def at_rest(height: int, width: int, *, num_frames: int = 12, seed: int = 0) -> Frames:
    """The same frame again and again."""
    return np.repeat(texture(height, width, seed)[None], num_frames, 0)


def crossed(frames: Frames, *, step: int, side: int) -> Frames:
    """A square of another texture crosses the film from the left by `step` pixels a frame."""
    crossing, square = frames.copy(), texture(side, side, 9)
    top = (frames.shape[1] - side) // 2
    for number, frame in enumerate(crossing):
        left = 4 + step * number
        frame[top : top + side, left : left + side] = square[:, : max(0, frame.shape[1] - left)]
    return crossing


def clip_of(frames: Frames, *, fps: float = 12.0) -> Clip:
    """A clip that shows all of its source."""
    height, width = frames.shape[1:3]
    origin = Origin(id="source", uri="film.mp4", width_px=width, height_px=height, fps=fps)
    whole = (0, 0, width, height)
    return Clip(id="clip", origin=origin, start_s=0.0, end_s=len(frames) / fps, frames=frames, fps=fps, crop=whole)
