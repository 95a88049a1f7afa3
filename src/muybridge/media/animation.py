"""Films made of pictures: GIF, animated WebP and animated PNG."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageSequence

from muybridge.core.errors import MediaError
from muybridge.media.envelope import pack
from muybridge.media.frames import Frames, coarse
from muybridge.media.image import exif, opened, png_text, save
from muybridge.media.save_options import SaveOptions

GIF_UNIT_MS, UNIT_MS = 10, 1  # what the formats count in
UNTIMED_MS = 100  # browsers' length of a frame that says 0
MAX_GIF_FPS = 50  # browsers take frames below 20 ms for UNTIMED_MS
DEFAULT_WEBP_QUALITY = 83
DITHER = "dither=bayer:bayer_scale=4:diff_mode=rectangle"  # a still pattern, where error diffusion would crawl
GIF_COMMENT = b"\x21\xfe"
BLOCK_BYTES = 255


def check_animation(path: Path, options: SaveOptions, *, fps: float | None) -> None:
    """Raises MediaError on options of coded film, and on rates that the format does not play."""
    suffix = path.suffix.lower()
    names = ("codec", "bitrate", "audio") if suffix == ".webp" else ("codec", "bitrate", "audio", "crf")
    for name in names:
        if getattr(options, name) is not None:
            raise MediaError(f"{path}: {suffix} takes no {name}; leave it out, or use {path.stem}.mp4.")
    if options.bits == 10:
        raise MediaError(f"{path}: {suffix} has 8 bits a channel, not 10; use {path.stem}.mp4.")
    if options.crf is not None and options.crf > 99:
        raise MediaError(f"crf={options.crf}: lies between 0 (best) and 99 for WebP; use 17.")
    if suffix == ".gif" and fps is not None and fps > MAX_GIF_FPS:
        raise MediaError(f"{path}: browsers play GIF at up to {MAX_GIF_FPS} frames/s, not {fps:g}; use output_fps=25.")


@contextmanager
def animation(path: Path, *, fps: float, metadata: Mapping[str, Any] | None, crf: int | None) -> Iterator["KeptFrames"]:
    """Frames to add to, written as an endless animation, by extension, once the block has ended well.

    GIF has 256 colours, chosen for the whole film, and times in 1/100 s, so that most rates are met only on average.
    A run of equal frames may become one longer frame. WebP's quality is 100 - crf.
    """
    kept = KeptFrames()
    yield kept
    frames = np.stack(kept.pictures)
    if path.suffix.lower() == ".gif":
        save(path, lambda temporary: _write_gif(temporary, frames, fps=fps, metadata=metadata))
        return
    quality = DEFAULT_WEBP_QUALITY if crf is None else 100 - crf
    first, *rest = (Image.fromarray(frame) for frame in frames)
    options: dict[str, Any] = {"save_all": True, "append_images": rest, "loop": 0}
    options["duration"] = durations_ms(len(frames), fps=fps, unit_ms=UNIT_MS)
    if path.suffix.lower() == ".apng":
        options |= {"format": "PNG", "pnginfo": png_text(metadata)}
    else:
        options |= {"quality": quality, "method": 4} | ({} if metadata is None else {"exif": exif(metadata)})
    save(path, lambda temporary: first.save(temporary, **options))


class KeptFrames:
    """The frames of a format that is written in one go."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []

    def start(self, width: int, height: int) -> None:
        """Any size will do."""

    def add(self, picture: np.ndarray) -> None:
        """Keep one more, in 8 bits."""
        self.pictures.append(coarse(picture))


def read_animation(path: Path, *, max_frames: int | None = None) -> tuple[Frames, float]:
    """(frames, fps) of a GIF, WebP or APNG, transparent parts white; fps is the mean, 10 for a still.

    Raises MediaError.
    """
    frames, total_ms = [], 0.0
    with opened(path) as image:
        for index, frame in enumerate(ImageSequence.Iterator(image)):
            if index == max_frames:
                break
            layer = frame.convert("RGBA")
            base = Image.new("RGBA", layer.size, "white")
            frames.append(np.asarray(Image.alpha_composite(base, layer).convert("RGB")))
            total_ms += frame.info.get("duration") or UNTIMED_MS
    return np.stack(frames), 1000 * len(frames) / total_ms


def durations_ms(num_frames: int, *, fps: float, unit_ms: int) -> list[int]:
    """Whole multiples of `unit_ms` for every frame, whose running sum stays within half a unit of the true time."""
    ends = [round((index + 1) * 1000 / fps / unit_ms) * unit_ms for index in range(num_frames)]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _write_gif(path: Path, frames: Frames, *, fps: float, metadata: Mapping[str, Any] | None) -> None:
    lengths = durations_ms(len(frames), fps=fps, unit_ms=GIF_UNIT_MS)
    height, width = frames.shape[1:3]
    base = Fraction(GIF_UNIT_MS, 1000)
    muxing = {"fflags": "+bitexact", "loop": "0", "final_delay": str(lengths[-1] // GIF_UNIT_MS)}
    with av.open(str(path), "w", format="gif", options=muxing) as output:
        stream = cast(VideoStream, output.add_stream("gif", rate=1 / base))
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        stream.codec_context.time_base = base
        ticks = 0
        for frame, length_ms in zip(_in_256_colours(frames), lengths, strict=True):
            frame.pts, frame.time_base, frame.duration = ticks, base, length_ms // GIF_UNIT_MS
            ticks += length_ms // GIF_UNIT_MS
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    if metadata is not None:
        path.write_bytes(_with_comment(path.read_bytes(), pack(metadata).encode()))


def _in_256_colours(frames: Frames) -> Iterator[VideoFrame]:
    """The frames with one palette for all, dithered."""
    height, width = frames.shape[1:3]
    size: dict[str, Any] = {"width": width, "height": height, "time_base": Fraction(1)}
    chooser = Graph()
    chooser.link_nodes(
        chooser.add_buffer(**size, format=av.VideoFormat("rgb24")),
        chooser.add("palettegen", "stats_mode=full:reserve_transparent=0"),
        chooser.add("buffersink"),
    ).configure()
    for frame in _numbered(frames):
        chooser.push(frame)
    chooser.push(None)
    palette = cast(VideoFrame, chooser.pull())
    painter = Graph()
    source = painter.add_buffer(**size, format=av.VideoFormat("rgb24"))
    colours = painter.add_buffer(width=16, height=16, format=palette.format, time_base=Fraction(1))
    use, sink = painter.add("paletteuse", DITHER), painter.add("buffersink")
    source.link_to(use, 0, 0)
    colours.link_to(use, 0, 1)
    use.link_to(sink)
    painter.configure()
    palette.pts, palette.time_base = 0, Fraction(1)
    colours.push(palette)
    colours.push(None)
    for frame in _numbered(frames):
        source.push(frame)
        yield cast(VideoFrame, sink.pull())


def _numbered(frames: Frames) -> Iterator[VideoFrame]:
    for index, picture in enumerate(frames):
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1)
        yield frame


def _with_comment(data: bytes, text: bytes) -> bytes:
    """The GIF with a comment (GIF89a, 24) behind its header and its palette."""
    has_palette, num_colours = data[10] & 0x80, 2 << (data[10] & 7)
    header = 13 + (3 * num_colours if has_palette else 0)
    parts = [text[start : start + BLOCK_BYTES] for start in range(0, len(text), BLOCK_BYTES)]
    comment = GIF_COMMENT + b"".join(bytes([len(part)]) + part for part in parts) + b"\0"
    return data[:header] + comment + data[header:]
