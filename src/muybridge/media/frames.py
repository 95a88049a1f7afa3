"""Pixels as numbers: pictures of 8 or 16 bits (numpy, t h w 3) and float pixels (torch, c t h w, in [-1, 1])."""

import hashlib
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8, UInt16
from torch import Tensor

from muybridge.core.errors import MediaError

HALF_RANGE = 127.5  # 0..255 onto [-1, 1]: 0 is -1, 255 is 1, the convention of the released VAE
FINE_STEPS = 257  # of 16 bits in one of 8, so that 255 is 65535

Frames = UInt8[np.ndarray, "_t _h _w 3"]  # underscores: one function may hold films of different sizes
FineFrames = UInt16[np.ndarray, "_t _h _w 3"]  # 0..65535, where films of more than 8 bits are written from
FilmFrames = Frames | FineFrames
AnyFrames = Frames | FineFrames | UInt8[Tensor, "t h w 3"]
Picture = UInt8[np.ndarray, "_h _w 3"]
FinePicture = UInt16[np.ndarray, "_h _w 3"]


def to_uint8(pixels: Float[Tensor, "3 t h w"]) -> Frames:
    """Float pixels in [-1, 1] as uint8 frames, rounded to the nearest level, values beyond the range clipped.

    Raises MediaError where a pixel is not a number, which would be written as black.
    """
    return _levels(pixels, half_range=HALF_RANGE).to(torch.uint8).cpu().numpy()


def to_uint16(pixels: Float[Tensor, "3 t h w"]) -> FineFrames:
    """As `to_uint8`, in steps 257 times finer. Raises MediaError."""
    return _levels(pixels, half_range=HALF_RANGE * FINE_STEPS).to(torch.uint16).cpu().numpy()


def from_uint8(frames: Frames | UInt8[Tensor, "t h w 3"]) -> Float[Tensor, "3 t h w"]:
    """uint8 frames as float32 pixels in [-1, 1]; `to_uint8` undoes it exactly."""
    levels = torch.from_numpy(as_frames(frames).copy())  # a copy: torch warns about read-only arrays
    return rearrange(levels, "t h w c -> c t h w").contiguous().float() / HALF_RANGE - 1


def as_frames(frames: Any) -> Frames:
    """`frames`, an array or CPU tensor, as a numpy array; raises MediaError unless it is uint8 (t, h, w, 3), t >= 1."""
    array = np.asarray(frames)
    if array.dtype != np.uint8 or _is_no_film(array):
        given = f"frames {array.dtype} {array.shape}"
        raise MediaError(f"{given}: a film is uint8 (t, h, w, 3) with at least one frame; convert with to_uint8.")
    return array


def as_any_frames(frames: Any) -> Frames | FineFrames:
    """As `as_frames`, and uint16 is a film too."""
    array = np.asarray(frames)
    if array.dtype != np.uint16:
        return as_frames(array)
    if _is_no_film(array):
        raise MediaError(f"frames {array.dtype} {array.shape}: a film is (t, h, w, 3) with at least one frame.")
    return array


def coarse(picture: Picture | FinePicture) -> Picture:
    """The nearest picture of 8 bits; one that is so already, as it is."""
    if picture.dtype == np.uint8:
        return picture
    return ((picture.astype(np.uint32) + FINE_STEPS // 2) // FINE_STEPS).astype(np.uint8)


def fine(picture: Picture) -> FinePicture:
    """The same picture in 16 bits; `coarse` undoes it exactly."""
    return picture.astype(np.uint16) * FINE_STEPS


def digest_of(pixels: np.ndarray) -> str:
    """SHA-256 of pixels and their shape, in hexadecimals."""
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest()


def _is_no_film(array: np.ndarray) -> bool:
    return array.ndim != 4 or array.shape[-1] != 3 or array.size == 0


def _levels(pixels: Float[Tensor, "3 t h w"], *, half_range: float) -> Float[Tensor, "t h w 3"]:
    if not bool(pixels.isfinite().all()):
        raise MediaError("pixels: hold NaN or infinity; compute in bfloat16 or float32 instead of float16.")
    levels = ((pixels.detach().float() + 1) * half_range).round().clamp(0, 2 * half_range)
    return rearrange(levels, "c t h w -> t h w c").contiguous()
