"""Pixels as numbers: uint8 pictures (numpy, t h w 3) and float pixels (torch, c t h w, in [-1, 1])."""

from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from muybridge.core.errors import MediaError

HALF_RANGE = 127.5  # 0..255 onto [-1, 1]: 0 is -1, 255 is 1, the convention of the released VAE

Frames = UInt8[np.ndarray, "_t _h _w 3"]  # underscores: one function may hold films of different sizes
Picture = UInt8[np.ndarray, "_h _w 3"]


def to_uint8(pixels: Float[Tensor, "3 t h w"]) -> Frames:
    """Float pixels in [-1, 1] as uint8 frames, rounded to the nearest level, values beyond the range clipped.

    Raises MediaError where a pixel is not a number, which would be written as black.
    """
    if not bool(pixels.isfinite().all()):
        raise MediaError("pixels: hold NaN or infinity; compute in bfloat16 or float32 instead of float16.")
    levels = ((pixels.detach().float() + 1) * HALF_RANGE).round().clamp(0, 255).to(torch.uint8)
    return rearrange(levels, "c t h w -> t h w c").contiguous().cpu().numpy()


def from_uint8(frames: Frames | UInt8[Tensor, "t h w 3"]) -> Float[Tensor, "3 t h w"]:
    """uint8 frames as float32 pixels in [-1, 1]; `to_uint8` undoes it exactly."""
    levels = torch.from_numpy(as_frames(frames).copy())  # a copy: torch warns about read-only arrays
    return rearrange(levels, "t h w c -> c t h w").contiguous().float() / HALF_RANGE - 1


def as_frames(frames: Any) -> Frames:
    """`frames`, an array or CPU tensor, as a numpy array; raises MediaError unless it is uint8 (t, h, w, 3), t >= 1."""
    array = np.asarray(frames)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[-1] != 3 or array.size == 0:
        given = f"frames {array.dtype} {array.shape}"
        raise MediaError(f"{given}: a film is uint8 (t, h, w, 3) with at least one frame; convert with to_uint8.")
    return array
