"""Signatures: a clip as a tiny grey film, enough to see whether another is a copy of it, as text of a letter a cell.

Each frame of it is the mean of a stretch of the clip, and each cell that of a part of the picture: so what is cropped,
trimmed or slowed down can be had from the whole, by means over parts of it.
"""

from collections.abc import Sequence

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.curation.opencv import one_thread, opencv
from muybridge.curation.similarity.parts import means_over
from muybridge.media.frames import Frames

NUM_FRAMES = 8
SIDE = 24  # cells across and down, whatever the frame's shape
LENGTH = NUM_FRAMES * SIDE * SIDE  # 4,608 letters, a byte each
LEVELS = 91  # of grey: a letter each, and none that JSON writes in another way
_FIRST, _LEFT_OUT = ord("#"), ord("\\")
_LOOKED_AT = 6 * NUM_FRAMES  # frames at most, evenly over the clip


def signature_of(frames: Frames) -> str:
    """Grey levels of `NUM_FRAMES` frames of `SIDE` by `SIDE` cells, row by row. A picture repeats its frame.

    Raises MissingExtra without OpenCV.
    """
    cv2 = opencv()
    count = min(len(frames), _LOOKED_AT)
    chosen = ((np.arange(count) + 0.5) / count * len(frames)).astype(int)
    with one_thread():
        small = [
            cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            for frame in map(np.ascontiguousarray, frames[chosen])
        ]
    stretches = means_over(torch.tensor([0.0, 1.0]), count=NUM_FRAMES, of=count).numpy()
    means = np.tensordot(stretches, np.stack(small).astype(np.float32), 1)
    letters = np.rint(means.reshape(-1) * ((LEVELS - 1) / 255)).astype(np.uint8) + np.uint8(_FIRST)
    return (letters + (letters >= _LEFT_OUT)).astype(np.uint8).tobytes().decode("ascii")


def check_signatures(signatures: Sequence[str]) -> None:
    """Raises InvalidInput where one is none."""
    for text in signatures:
        if len(text) != LENGTH or not text.isascii():
            raise invalid(f"a signature of {len(text)} letters", f"each has {LENGTH}", "embed the clips again")


def films_of(signatures: Sequence[str]) -> UInt8[Tensor, "n t y x"]:
    """Signatures as tiny films, levels 0 to `LEVELS` - 1."""
    letters = np.frombuffer("".join(signatures).encode("ascii"), np.uint8)
    levels = letters - (letters > _LEFT_OUT).astype(np.uint8) - np.uint8(_FIRST)
    return rearrange(torch.from_numpy(levels), "(n t y x) -> n t y x", t=NUM_FRAMES, y=SIDE, x=SIDE)
