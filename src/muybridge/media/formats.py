"""How films are written: codecs, the containers that hold them, and what a person may choose of both."""

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
ANIMATION_SUFFIXES = (".gif", ".webp")
SEQUENCE = re.compile(r"%0?(\d?)d")  # frame-%05d.png, as ffmpeg writes it


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
class SaveOptions:
    """How a result is written; None leaves a choice to the extension.

    codec: a name of `CODECS`. crf: 0 is best, the scale is the codec's own; WebP takes 100 - crf as its quality.
    bitrate: such as "8M" or "800k" bits a second, instead of crf. bits: 8 or 10 a channel.
    Raises InvalidInput on a value that breaks a rule.
    """

    codec: str | None = None
    crf: int | None = None
    bitrate: str | None = None
    bits: Bits | None = None

    def __post_init__(self) -> None:
        if self.codec is not None and self.codec not in CODECS:
            raise invalid(f"codec={self.codec!r}", "is none that films are written in", f"use {', '.join(CODECS)}")
        if self.crf is not None and (isinstance(self.crf, bool) or not isinstance(self.crf, int) or self.crf < 0):
            raise invalid(f"crf={self.crf!r}", "is a whole number from 0 (best) on", "use 17")
        if self.bits not in (None, 8, 10):
            raise invalid(f"bits={self.bits!r}", "films have 8 or 10 bits a channel", "use 8 or 10")
        if self.crf is not None and self.bitrate is not None:
            raise invalid("crf and bitrate", "each decides the size of the file", "leave one out")
        if self.bitrate is not None:
            bits_per_second(self.bitrate)


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """What options come to for one file of coded film."""

    codec: Codec
    bits: int
    tag: str | None
    container: Mapping[str, str]
    options: Mapping[str, str]
    bits_per_second: int | None


def coding(path: Path, options: SaveOptions) -> Coding:
    """How the film `path` is coded. Raises MediaError where its extension, the options and this FFmpeg do not agree."""
    container = CONTAINERS[path.suffix.lower()]
    name = options.codec or container.codecs[0]
    if name not in container.codecs:
        raise MediaError(
            f"{path}: {path.suffix} does not hold {name}, but {', '.join(container.codecs)}; "
            f"use {path.stem}{next(suffix for suffix, row in CONTAINERS.items() if name in row.codecs)}."
        )
    if name not in codecs_available():
        raise MediaError(f"codec={name}: this FFmpeg has no {CODECS[name].encoder}; use {_listed(container)}.")
    codec = CODECS[name]
    bits = _bits(name, options.bits)
    chosen: dict[str, str] = dict(codec.options)
    if codec.crf is None:
        if options.crf is not None or options.bitrate is not None:
            raise MediaError(f"{name}: its quality is fixed, so it takes no crf and no bitrate; leave them out.")
    elif options.bitrate is None:
        default, most = codec.crf
        crf = default if options.crf is None else options.crf
        if crf > most:
            raise MediaError(f"crf={crf}: lies between 0 (best) and {most} for {name}; use {default}.")
        chosen["crf"] = str(crf)
    else:
        chosen.pop("b", None)
    rate = None if options.bitrate is None else bits_per_second(options.bitrate)
    tag = codec.tag if container.options is _FASTSTART else None
    return Coding(codec=codec, bits=bits, tag=tag, container=container.options, options=chosen, bits_per_second=rate)


def depth(path: Path, options: SaveOptions) -> int:
    """Bits a channel that the file would keep, so that pixels may be made as fine. Raises as `coding`."""
    return coding(path, options).bits if path.suffix.lower() in CONTAINERS else 8


def codecs_available() -> tuple[str, ...]:
    """The names of `CODECS` that this build of FFmpeg can write."""
    return tuple(name for name, codec in CODECS.items() if _pixel_formats(codec.encoder))


def check_animation(path: Path, options: SaveOptions) -> None:
    """Raises MediaError where options are for coded film and `path` is made of pictures."""
    is_webp = path.suffix.lower() == ".webp"
    unfit = {"codec": options.codec, "bitrate": options.bitrate, "bits=10": options.bits == 10 or None}
    unfit |= {} if is_webp else {"crf": options.crf}
    for name, value in unfit.items():
        if value is not None:
            raise MediaError(f"{path}: {path.suffix} takes no {name}; leave it out, or use {path.stem}.mp4.")
    if is_webp and options.crf is not None and options.crf > 100:
        raise MediaError(f"crf={options.crf}: lies between 0 (best) and 100 for WebP; use 17.")


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


def _listed(container: Container) -> str:
    return ", ".join(name for name in container.codecs if name in codecs_available())
