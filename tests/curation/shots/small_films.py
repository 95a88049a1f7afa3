"""Tiny films of known joins."""

from pathlib import Path

import numpy as np

from muybridge.media.frames import Frames
from muybridge.media.writer import write_video

WIDTH_PX, HEIGHT_PX, FPS = 96, 54, 24


def scene(seed: int, num_frames: int = 40, *, speed: float = 0.3) -> Frames:
    """Blocks of colour that a camera passes slowly."""
    rng = np.random.default_rng(seed)
    wall = np.kron(rng.integers(20, 235, (12, 40, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    lefts = (np.arange(num_frames) * speed).astype(int)
    return np.stack([wall[5 : 5 + HEIGHT_PX, left : left + WIDTH_PX] for left in lefts])


def mixed(first: Frames, second: Frames, shares: np.ndarray) -> Frames:
    """Frames from one to the other by shares that may be a picture each."""
    shares = shares.reshape(len(shares), *(shares.shape[1:] or (1, 1)), 1)
    return (first * (1 - shares) + second * shares).round().astype(np.uint8)


def written(folder: Path, frames: Frames, name: str = "film.mp4", fps: float = FPS) -> Path:
    """The film's file."""
    write_video(folder / name, frames, fps=fps)
    return folder / name
