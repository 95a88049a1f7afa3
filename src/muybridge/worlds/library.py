"""Animated drawings with alpha, as premultiplied stacks at any working size, decoded once and memory-mapped after.

Source: npm `@lobehub/fluent-emoji-anim-1..4` (MIT): animated WebP, 256 px, 24 frames a second, file name = code points.
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from muybridge.core.env import cache_folder
from muybridge.core.errors import AssetError, MediaError
from muybridge.core.files import atomic_path
from muybridge.worlds.subjects import SUBJECTS, Subject

SOURCE_FPS = 24  # of the drawings; single-frame stills report duration 0, so the files' own timing is not read
LEVELS_PX = (24, 32, 48, 64, 96, 128, 192, 256)  # steps of about 1.4: bilinear sampling between them does not alias
_FORMAT = "v1"  # changes when the cached arrays change


class SpriteLibrary(Protocol):
    """Where drawings come from."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The cast this library can draw, best first."""
        ...

    def frames(self, codepoints: str, size_px: int) -> np.ndarray:
        """All frames of one drawing, uint8 (n, 4, size_px, size_px), premultiplied RGBA, feet on the last row.

        The drawing's bounding box over its whole cycle fills the square's longer side and is centred across it.
        """
        ...


def level_for(displayed_px: float) -> int:
    """The working size to sample from when a drawing covers `displayed_px` pixels."""
    return next((level for level in LEVELS_PX if level >= 0.8 * displayed_px), LEVELS_PX[-1])


def drawn_frames(
    library: SpriteLibrary, subject: Subject, seconds: np.ndarray, *, phase: float, displayed_px: float
) -> UInt8[Tensor, "t 4 s s"]:
    """The subject's drawing at each time, from the working size that suits `displayed_px`."""
    frames = library.frames(subject.codepoints, level_for(displayed_px))
    numbers = frame_numbers(len(frames), seconds, phase=phase, span=subject.span)
    return torch.from_numpy(frames[numbers])


def frame_numbers(num_frames: int, seconds: np.ndarray, *, phase: float, span: tuple[float, float]) -> np.ndarray:
    """Which source frame is shown at each time: a loop, or to and fro within `span`. A still is always frame 0."""
    position = seconds * SOURCE_FPS
    if span == (0.0, 1.0):
        return (np.floor(phase * num_frames) + np.round(position)).astype(int) % num_frames
    first, last = math.floor(span[0] * (num_frames - 1)), math.floor(span[1] * (num_frames - 1))
    length = max(last - first, 1)
    swing = (np.round(position) + math.floor(phase * 2 * length)) % (2 * length)
    return np.minimum(first + np.where(swing > length, 2 * length - swing, swing), num_frames - 1).astype(int)


@lru_cache(maxsize=512)
def standing_half_width(library: SpriteLibrary, codepoints: str) -> float:
    """Half the width on which a drawing stands (its lowest fifth), in shares of its square."""
    alpha = np.asarray(library.frames(codepoints, 64))[:, 3, -13:]
    columns = np.flatnonzero((alpha > 64).any(axis=(0, 1)))
    return 0.5 * float(columns[-1] - columns[0] + 1) / 64 if len(columns) else 0.3


class WebpLibrary:
    """The animated WebP files of a folder (`anim-*/**/assets/*.webp`), each size cached as one .npy file.

    Memory: the arrays are memory-mapped, so only the frames that are drawn are read. Not thread-safe; fork freely.
    """

    def __init__(self, folder: Path, *, cache: Path | None = None) -> None:
        self.folder = folder
        self._cache = cache or cache_folder() / "sprites"
        self._paths = {path.stem: path for path in folder.glob("anim-*/**/assets/*.webp")}
        self._open: dict[tuple[str, int], np.ndarray] = {}
        if not self._paths:
            raise AssetError(f"{folder}: holds no anim-*/assets/*.webp; fetch the asset fluent-emoji-anim.")

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """Those of the cast whose drawing is in the folder."""
        return tuple(subject for subject in SUBJECTS if subject.codepoints in self._paths)

    def frames(self, codepoints: str, size_px: int) -> np.ndarray:
        """See `SpriteLibrary.frames`. Raises AssetError for a missing drawing, MediaError for a damaged one."""
        key = (codepoints, size_px)
        if key not in self._open:
            self._open[key] = self._mapped(codepoints, size_px)
        return self._open[key]

    def _mapped(self, codepoints: str, size_px: int) -> np.ndarray:
        path = self._paths.get(codepoints)
        if path is None:
            raise AssetError(
                f"{codepoints}: {self.folder} has no such drawing; fetch the asset fluent-emoji-anim again."
            )
        cached = self._cache / f"{codepoints}-{path.stat().st_size}-{size_px}-{_FORMAT}.npy"
        if not cached.exists():
            stack = resized(read_animation(path), size_px)
            with atomic_path(cached) as temporary:
                np.save(temporary, stack)
        return np.load(cached, mmap_mode="r")


@lru_cache(maxsize=2)  # one drawing is often wanted at two sizes in a row; 19 MB each
def read_animation(path: Path) -> np.ndarray:
    """Every frame of an animated WebP, uint8 (n, h, w, 4), premultiplied, cropped to a square that stands on its feet.

    Raises MediaError for a file that is damaged, empty or not an image.
    """
    try:
        with Image.open(path) as image:
            count = getattr(image, "n_frames", 1)
            frames = []
            for number in range(count):
                image.seek(number)
                frames.append(np.asarray(image.convert("RGBA")))
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise MediaError(f"{path}: cannot be read as an animated WebP ({error}); fetch the asset again.") from None
    stack = np.stack(frames)
    if not stack[..., 3].any():
        raise MediaError(f"{path}: every pixel is transparent; fetch the asset again.")
    return _squared(_premultiplied(stack))


def _premultiplied(stack: np.ndarray) -> np.ndarray:
    alpha = stack[..., 3:].astype(np.uint16)
    colour = (stack[..., :3] * alpha + 127) // 255
    return np.concatenate([colour, alpha], axis=-1).astype(np.uint8)


def _squared(stack: np.ndarray) -> np.ndarray:
    """Crop to the bounding box of all frames, padded to a square: centred across, standing on the last row."""
    seen = (stack[..., 3] > 8).any(axis=0)
    rows, columns = np.flatnonzero(np.any(seen, 1)), np.flatnonzero(np.any(seen, 0))
    box = stack[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = box.shape[1:3]
    side = max(height, width)
    left, top = (side - width) // 2, side - height
    square = np.zeros((len(box), side, side, 4), np.uint8)
    square[:, top : top + height, left : left + width] = box
    return square


def resized(stack: np.ndarray, size_px: int) -> np.ndarray:
    """(n, h, w, 4) premultiplied -> (n, 4, size_px, size_px), averaged plane by plane."""
    return np.stack([np.stack([_plane(frame[..., k], size_px) for k in range(4)]) for frame in stack])


def _plane(plane: np.ndarray, size_px: int) -> np.ndarray:
    is_much_smaller = size_px * 2 <= plane.shape[0]
    filter_kind = Image.Resampling.BOX if is_much_smaller else Image.Resampling.BILINEAR  # both average when shrinking
    return np.asarray(Image.fromarray(plane).resize((size_px, size_px), filter_kind))
