"""How films are coded: codecs, and the containers that hold them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import av
from av.codec.codec import UnknownCodecError

from muybridge.core.errors import MediaError, invalid

Bits = Literal[8, 10]

MAX_FPS = 240
MAX_BITRATE = 1_000_000_000  # convention: above any film that is watched
ANIMATION_SUFFIXES = (".gif", ".webp", ".apng")


@dataclass(frozen=True, kw_only=True, slots=True)
class Codec:
    """One row of `CODECS`.

    formats: FFmpeg's pixel format for each depth. crf: the default and the largest, None where quality is not chosen.
    tag: the codec's four letters in MP4 and MOV, where players look for others than FFmpeg's.
    """

    encoder: str
    formats: Mapping[int, str]
    crf: tuple[int, int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    tag: str | None = None

    @property
    def is_rgb(self) -> bool:
        """Whether pixels are kept as they are, with no change to YUV."""
        return not next(iter(self.formats.values())).startswith("yuv")

    @property
    def halves_sides(self) -> tuple[bool, bool]:
        """Whether colour is kept for every other (column, row) only, so that this side must be even."""
        pixels = next(iter(self.formats.values()))
        return "420" in pixels or "422" in pixels, "420" in pixels


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """One row of `CONTAINERS`: the codecs it holds, the usual one first, and how it is muxed."""

    codecs: tuple[str, ...]
    options: Mapping[str, str]


_420 = {8: "yuv420p", 10: "yuv420p10le"}
# Each encoder is given what makes its bytes the same on every machine.
# mbtree off: with it equal films came out different (PyAV 18.1's x264 on AVX-512, at 3 of 5 sizes, one thread; not with
# AVX2 code alone). Without it 860 of 860 runs agreed. x265's kin of it, cutree, is off for the same reason.
CODECS: dict[str, Codec] = {
    "h264": Codec(encoder="libx264", formats=_420, crf=(17, 51), options={"preset": "medium", "mbtree": "0"}),
    "h265": Codec(
        encoder="libx265",
        formats=_420,
        crf=(19, 51),
        options={"preset": "medium", "x265-params": "log-level=none:info=0:cutree=0:pools=4:frame-threads=1"},
        tag="hvc1",
    ),
    "av1": Codec(encoder="libsvtav1", formats=_420, crf=(22, 63), options={"preset": "6", "svtav1-params": "lp=2"}),
    "vp9": Codec(
        encoder="libvpx-vp9",
        formats={8: "yuv420p"},
        crf=(17, 63),
        options={"b": "0", "deadline": "good", "cpu-used": "2"},
    ),
    "prores": Codec(encoder="prores_ks", formats={10: "yuv422p10le"}, options={"profile": "hq", "vendor": "apl0"}),
    "prores4444": Codec(
        encoder="prores_ks", formats={10: "yuv444p10le"}, options={"profile": "4444", "vendor": "apl0"}
    ),
    "ffv1": Codec(
        encoder="ffv1", formats={8: "bgr0", 10: "gbrp10le"}, options={"level": "3", "slices": "4", "slicecrc": "1"}
    ),
}
_PLAIN = {"fflags": "+bitexact"}  # no clock and no random identifier: the same film is the same bytes
_FASTSTART = _PLAIN | {"movflags": "+faststart"}  # the index first, so that browsers play while loading
CONTAINERS: dict[str, Container] = {
    ".mp4": Container(codecs=("h264", "h265", "av1", "vp9"), options=_FASTSTART),
    ".mov": Container(codecs=("h264", "h265", "prores", "prores4444"), options=_FASTSTART),
    ".mkv": Container(codecs=("h264", "h265", "av1", "vp9", "ffv1", "prores", "prores4444"), options=_PLAIN),
    ".webm": Container(codecs=("vp9", "av1"), options=_PLAIN),
}
VIDEO_SUFFIXES = (*CONTAINERS, *ANIMATION_SUFFIXES)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """What options come to for one file of coded film."""

    codec: Codec
    pixel_format: str
    tag: str | None
    container: Mapping[str, str]
    options: Mapping[str, str]
    bits_per_second: int | None


def coding(path: Path, *, codec: str | None, crf: int | None, bitrate: str | None, bits: int | None) -> Coding:
    """How the film `path` is coded; None leaves a choice to the extension.

    Raises MediaError where the extension, the choices and this FFmpeg do not agree.
    """
    container = CONTAINERS[path.suffix.lower()]
    name = codec or container.codecs[0]
    if name not in container.codecs:
        other = suffix_for(name)
        raise MediaError(
            f"{path}: {path.suffix} does not hold {name}, but {', '.join(container.codecs)}; use {path.stem}{other}."
        )
    if name not in codecs_available():
        there = ", ".join(each for each in container.codecs if each in codecs_available())
        raise MediaError(f"codec={name}: this FFmpeg has no {CODECS[name].encoder}; use {there}.")
    row = CODECS[name]
    return Coding(
        codec=row,
        pixel_format=row.formats[_bits(name, bits)],
        tag=row.tag if container.options is _FASTSTART else None,
        container=container.options,
        options=_quality(name, crf=crf, bitrate=bitrate),
        bits_per_second=None if bitrate is None else bits_per_second(bitrate),
    )


def suffix_for(codec: str) -> str:
    """The first container that holds the codec."""
    return next(suffix for suffix, row in CONTAINERS.items() if codec in row.codecs)


def codecs_available() -> tuple[str, ...]:
    """The names of `CODECS` that this build of FFmpeg can write."""
    return tuple(name for name, codec in CODECS.items() if _pixel_formats(codec.encoder))


def check_fps(fps: float) -> None:
    """Raises MediaError unless films can play so fast."""
    if not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise MediaError(f"fps={fps}: lies above 0 and up to {MAX_FPS}; use 24.")


def bits_per_second(text: str) -> int:
    """8,000,000 of "8M". Raises InvalidInput on anything else."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([kKmM]?)", str(text).strip())
    rate = round(float(match[1]) * {"": 1, "k": 1_000, "m": 1_000_000}[match[2].lower()]) if match else 0
    if not 1_000 <= rate <= MAX_BITRATE:
        raise invalid(f"bitrate={text!r}", "is not bits a second from 1k to 1000M", "write 8M or 800k")
    return rate


def _quality(name: str, *, crf: int | None, bitrate: str | None) -> dict[str, str]:
    """The encoder's options, with the size of the file decided."""
    codec = CODECS[name]
    if codec.crf is None:
        if crf is not None or bitrate is not None:
            raise MediaError(f"{name}: its quality is fixed, so it takes no crf and no bitrate; leave them out.")
        return dict(codec.options)
    if bitrate is not None:
        return {key: value for key, value in codec.options.items() if key != "b"}
    default, most = codec.crf
    if crf is not None and crf > most:
        raise MediaError(f"crf={crf}: lies between 0 (best) and {most} for {name}; use {default}.")
    return {**codec.options, "crf": str(default if crf is None else crf)}


def _bits(name: str, asked: int | None) -> int:
    formats = CODECS[name].formats
    bits = min(formats) if asked is None else asked
    if bits in formats and formats[bits] in _pixel_formats(CODECS[name].encoder):
        return bits
    others = [other for other in codecs_available() if bits in CODECS[other].formats]
    raise MediaError(f"bits={bits}: {name} is not written so; use {', '.join(others)}.")


def _pixel_formats(encoder: str) -> tuple[str, ...]:
    """Those the encoder takes; none where this FFmpeg is built without it."""
    try:
        return tuple(each.name for each in av.Codec(encoder, "w").video_formats or ())
    except UnknownCodecError:
        return ()
