"""Clips and captions to test with."""

import zlib

import numpy as np

from muybridge.captioning.captioner import ClipView
from muybridge.worlds.structured import StructuredCaption

HORSE = StructuredCaption(
    short="A brown horse gallops to the right.",
    dense="A brown horse gallops to the right across a meadow. It enters at the left edge. The camera pans right.",
    background="a green meadow", style="3D cartoon", shot_type="wide shot", lighting="soft daylight",
    atmosphere="cheerful", camera="pan right",
)  # fmt: skip


def view(name: str = "a", *, num_frames: int = 3, level: int = 120, **columns: object) -> ClipView:
    """A grey clip with a corner that tells it from others."""
    frames = np.full((num_frames, 24, 32, 3), level, np.uint8)
    frames[:, :8, :8] = zlib.crc32(name.encode()) % 251
    return ClipView(id=name, frames=frames, fps=24.0, duration_s=num_frames / 24, columns=columns)  # pyright: ignore
