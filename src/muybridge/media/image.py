"""Picture files to and from uint8 arrays, with settings inside."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from av.error import FFmpegError
from PIL import Image, ImageOps, PngImagePlugin

from muybridge.core.errors import MediaError
from muybridge.core.files import atomic_path
from muybridge.media.envelope import KEY, find, pack
from muybridge.media.frames import Picture, as_frames

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
EXIF_BLOCK, USER_COMMENT = 0x8769, 0x9286  # EXIF 2.32: the one free-text field that holds Unicode
UNICODE = b"UNICODE\0"
JPEG_EXIF_BYTES = 65_533  # one JPEG segment


def read_image(
    path: Path, *, background: tuple[int, int, int] = (255, 255, 255), data: BinaryIO | None = None
) -> Picture:
    """The picture upright as its camera says, in 8 bits, transparent parts over `background`.

    Raises MediaError where the file is absent, damaged or no picture.
    """
    with opened(Path(path), data) as image:
        return as_rgb(image, path, background=background)


def as_rgb(image: Image.Image, path: Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Picture:
    """What `read_image` gives, of a picture that is open already. Raises MediaError."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":  # 16 bits a channel: Pillow would clip, not scale
        return _from_16_bit(np.asarray(upright), path)
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        base = Image.new("RGBA", layer.size, (*background, 255))
        upright = Image.alpha_composite(base, layer)
    return np.asarray(upright.convert("RGB"))


def write_image(path: Path, picture: Picture, *, metadata: Mapping[str, Any] | None = None, quality: int = 95) -> None:
    """Write PNG, JPEG or WebP by extension; `metadata` travels inside (PNG text chunk, else EXIF user comment).

    `quality`, 1 to 100, is for JPEG and WebP. Raises MediaError on another extension, InvalidInput where the folder
    cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise MediaError(f"{path}: pictures are written as {', '.join(IMAGE_SUFFIXES)}; use {path.stem}.png.")
    if not 1 <= quality <= 100:
        raise MediaError(f"quality={quality}: lies between 1 and 100; use 95.")
    image = Image.fromarray(as_frames(picture[None])[0])
    options: dict[str, Any] = {"quality": quality}
    if path.suffix.lower() == ".png":
        options = {"pnginfo": png_text(metadata)}
    elif metadata is not None:
        options["exif"] = exif(metadata, limit_bytes=None if path.suffix.lower() == ".webp" else JPEG_EXIF_BYTES)
    save(path, lambda temporary: image.save(temporary, **options))


def read_metadata(path: Path) -> dict[str, Any] | None:
    """The settings inside a picture, GIF or WebP; None where it carries none of ours. Raises MediaError."""
    with opened(Path(path)) as image:
        text = image.info.get(KEY) or _user_comment(image)
        if text is None and isinstance(comment := image.info.get("comment"), bytes):
            text = comment.decode(errors="replace")
    return find(text, source=Path(path))


def save(path: Path, write: Callable[[Path], None]) -> None:
    """Call `write` on a temporary name that becomes `path`; a failing encoder or disk becomes a MediaError."""
    with atomic_path(path) as temporary:
        try:
            write(temporary)
        except (OSError, ValueError, FFmpegError) as error:
            raise MediaError(f"{path}: cannot be written ({error}); choose another place or format.") from None


@contextmanager
def opened(path: Path, data: BinaryIO | None = None) -> Iterator[Image.Image]:
    """The open picture or animation, Pillow's errors as MediaError; `data`: its bytes, where `path` only names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Pillow warns of odd EXIF, which carries no pixels
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(data or path) as image:
                image.load()
                yield image
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the name.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{path}: {error}; use a smaller picture.") from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        IndexError,
    ) as error:  # Pillow's readers raise all of these on damage
        reason = "is not a picture" if isinstance(error, Image.UnidentifiedImageError) else f"is damaged ({error})"
        raise MediaError(f"{path}: {reason}; use a PNG, JPEG or WebP file.") from None


def _from_16_bit(levels: np.ndarray, path: Path) -> Picture:
    if levels.min() < 0 or levels.max() > 65_535 or levels.dtype.kind == "f":
        raise MediaError(f"{path}: a picture of {levels.dtype} values has no known range; save it as 8 or 16 bit PNG.")
    grey = np.round(levels.astype(np.float64) / 257).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def png_text(metadata: Mapping[str, Any] | None) -> PngImagePlugin.PngInfo:
    """The settings as a PNG text chunk."""
    info = PngImagePlugin.PngInfo()
    if metadata is not None:
        info.add_itxt(KEY, pack(metadata))
    return info


def exif(metadata: Mapping[str, Any], *, limit_bytes: int | None = None) -> bytes:
    """The settings as an EXIF block. Raises MediaError where it is longer than the format holds."""
    block = Image.Exif()
    block[EXIF_BLOCK] = {USER_COMMENT: UNICODE + pack(metadata).encode("utf-16-be")}
    data = block.tobytes()
    if limit_bytes is not None and len(data) > limit_bytes:
        raise MediaError(f"settings of {len(data)} bytes: a JPEG holds {limit_bytes}; use .png.")
    return data


def _user_comment(image: Image.Image) -> str | None:
    comment = image.getexif().get_ifd(EXIF_BLOCK).get(USER_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(UNICODE):
        return None
    return comment[len(UNICODE) :].decode("utf-16-be", errors="replace")
