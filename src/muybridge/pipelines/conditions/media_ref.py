"""A picture or film that a request refers to: a file by its path and hash, or pixels in memory."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.media.frames import Frames, digest_of, to_uint8
from muybridge.pipelines.identity import found_file

_REMEDY = "give a path, a PIL image, uint8 pixels (h, w, 3) or (t, h, w, 3), a tensor (3, t, h, w), or a Video"


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaRef:
    """A picture or film. Either a file, `path`, or `pixels` (t, h, w, 3) uint8 that stay in memory, never in a record.

    sha256: of the file or the pixels, once known; another file by the same path is then refused. fps: of pixels that
    are a film. Raises InvalidInput where neither or both are given.
    """

    path: str | None = None
    sha256: str | None = None
    fps: float | None = None
    pixels: Frames | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.path is None and self.pixels is None and self.sha256 is None:
            raise invalid("a picture or film", "names no file and holds no pixels", _REMEDY)

    @classmethod
    def of(cls, given: Any) -> Self:
        """What a path, a PIL image, an array, a tensor in [-1, 1] or a `Video` refers to. Raises InvalidInput."""
        if isinstance(given, cls):
            return given
        if isinstance(given, (str, Path)):
            return cls(path=str(given))
        pixels = _pixels(given)
        return cls(pixels=pixels, sha256=digest_of(pixels), fps=getattr(given, "fps", None))

    @property
    def name(self) -> str:
        """As messages call it."""
        return self.path or "the picture given in memory"

    def identified(self, option: str) -> Self:
        """With the file's full path and hash, so that it can be repeated from anywhere.

        Raises InvalidInput where there is no such file, or it is not the one that the hash says; names the option.
        """
        if self.pixels is not None:
            return self
        if self.path is None:
            rule = f"was pixels in memory ({str(self.sha256)[:12]}...), which no record holds"
            raise invalid(f"{option} of the result", rule, f"give {option} again")
        path, digest = found_file(self.path, option=option, known=self.sha256, remedy="name a picture or film")
        return replace(self, path=path, sha256=digest)


def _pixels(given: Any) -> Frames:
    """Frames of whatever holds pixels. Raises InvalidInput."""
    if isinstance(given, Image.Image):
        return np.asarray(given.convert("RGB"))[None]
    if isinstance(given, Tensor):
        return _of_tensor(given)
    pixels = np.asarray(getattr(given, "pixels", given))
    if pixels.dtype == np.uint8 and pixels.ndim in (3, 4) and pixels.shape[-1] == 3 and pixels.size:
        return pixels[None] if pixels.ndim == 3 else pixels
    raise invalid(f"{type(given).__name__} as a picture or film", "cannot be read as one", _REMEDY)


def _of_tensor(given: Tensor) -> Frames:
    film = given[:, None] if given.ndim == 3 else given
    if film.ndim != 4 or film.shape[0] != 3 or not film.is_floating_point() or not bool(torch.isfinite(film).all()):
        given_words = f"a tensor {tuple(given.shape)} of {given.dtype}"
        raise invalid(given_words, "a picture is (3, h, w), a film (3, t, h, w), floating point in [-1, 1]", _REMEDY)
    return to_uint8(film.detach().float().cpu())
