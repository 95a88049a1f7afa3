"""Pictures and films as people have them."""

from pathlib import Path

import numpy as np
from PIL import Image

from muybridge.media.frames import Frames
from muybridge.media.writer import write_video


def gradient(width: int = 48, height: int = 32) -> np.ndarray:
    """Red grows to the right, green downwards, blue is even: every side and turn shows."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([x, y, np.full_like(x, 128)], -1).round().astype(np.uint8)


def moving(num_frames: int = 17, width: int = 48, height: int = 32) -> Frames:
    """A gradient that slides to the left, 2 px a frame."""
    wide = gradient(width + 2 * num_frames, height)
    return np.stack([wide[:, 2 * index : 2 * index + width] for index in range(num_frames)])


def picture(path: Path, pixels: np.ndarray | None = None) -> Path:
    """Written as the extension says."""
    Image.fromarray(gradient() if pixels is None else pixels).save(path)
    return path


def film(path: Path, num_frames: int = 17, *, fps: float = 24) -> Path:
    """A film that moves."""
    write_video(path, moving(num_frames), fps=fps)
    return path


def mask(path: Path, *, white: tuple[int, int, int, int], width: int = 48, height: int = 32) -> Path:
    """White in the box (left, top, right, bottom) in px, black elsewhere."""
    image = Image.new("L", (width, height), 0)
    image.paste(255, white)
    image.save(path)
    return path
