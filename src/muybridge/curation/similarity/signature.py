"""Signatures: a few tiny grey frames of a clip, enough to see whether another is a copy of it."""

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Float32, Num

from muybridge.core.errors import invalid
from muybridge.media.colour import LUMA_601
from muybridge.media.frames import Frames

NUM_FRAMES = 5  # from the middles of as many equal parts of the clip
SIDE = 12  # cells across and down, whatever the frame's shape
LEVELS = 100  # of grey, so that three of them fill the six digits that a column keeps of a number
IN_ONE = 3
LENGTH = NUM_FRAMES * SIDE * SIDE // IN_ONE  # 240 numbers
_PLACES = np.array([LEVELS**2, LEVELS, 1])


def signature_of(frames: Frames) -> Float[np.ndarray, " n"]:
    """Mean levels of the cells of each of the frames, row by row, three in a number. A picture repeats its frame."""
    chosen = ((np.arange(NUM_FRAMES) + 0.5) / NUM_FRAMES * len(frames)).astype(int)
    grey = torch.from_numpy(frames[chosen]).float() @ torch.tensor(LUMA_601)
    cells = F.interpolate(grey[:, None], size=(SIDE, SIDE), mode="area")
    levels = (cells * ((LEVELS - 1) / 255)).round().long().numpy()
    return (levels.reshape(-1, IN_ONE) @ _PLACES).astype(np.float64)


def unpacked(signatures: Num[np.ndarray, "n s"]) -> Float32[torch.Tensor, "n t y x"]:
    """Signatures as small films, levels 0 to 255. Raises InvalidInput where they are none."""
    if signatures.shape[1] != LENGTH:
        rule = f"each has {LENGTH} numbers"
        raise invalid(f"signatures of {signatures.shape[1]} numbers", rule, "embed the clips again")
    numbers = np.rint(signatures).astype(np.int64)
    levels = (numbers[:, :, None] // _PLACES % LEVELS).astype(np.float32) * (255 / (LEVELS - 1))
    return rearrange(torch.from_numpy(levels), "n (t y x) k -> n t y (x k)", t=NUM_FRAMES, y=SIDE)
