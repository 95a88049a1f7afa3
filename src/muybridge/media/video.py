"""Film files to and from uint8 frames, with settings inside the container."""

import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from jaxtyping import UInt8
from torch import Tensor

from muybridge.core.errors import MediaError
from muybridge.core.files import atomic_path
from muybridge.media.animation import ANIMATION_SUFFIXES, read_animation, write_animation
from muybridge.media.envelope import find, pack
from muybridge.media.frames import Frames, as_frames
from muybridge.media.image import read_metadata as read_picture_metadata
from muybridge.media.tonemap import Curve, tone_map

BT709 = 1  # H.273 code point of the primaries, the transfer curve and the matrix
LIMITED = 1  # 16..235, what players expect of H.264
NUM_THREADS = 4  # fixed, not the machine's cores: x264's bytes depend on it
MAX_FPS = 240
DEFAULT_CRF = 17  # visually lossless by x264's own guide
HDR_CURVES: Mapping[int, Curve] = {16: "pq", 18: "hlg"}  # H.273 code points
READABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mxf"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """How one extension is encoded."""

    codec: str
    codec_options: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)


# mbtree off: with it equal films came out different (PyAV 18.1's x264 on AVX-512, at 3 of 5 sizes, one thread; not with
# AVX2 code alone). Without it 860 of 860 runs agreed.
_H264 = {"preset": "medium", "mbtree": "0"}
_PLAIN = {"fflags": "+bitexact"}  # no clock and no random identifier: the same film is the same bytes
_FASTSTART = _PLAIN | {"movflags": "+faststart"}  # the index first, so that browsers play while loading
CONTAINERS: dict[str, Container] = {
    ".mp4": Container(codec="libx264", codec_options=_H264, options=_FASTSTART),
    ".mov": Container(codec="libx264", codec_options=_H264, options=_FASTSTART),
    ".mkv": Container(codec="libx264", codec_options=_H264, options=_PLAIN),
    ".webm": Container(
        codec="libvpx-vp9", codec_options={"b": "0", "deadline": "good", "cpu-used": "2"}, options=_PLAIN
    ),
}
VIDEO_SUFFIXES = (*CONTAINERS, *ANIMATION_SUFFIXES)


class NoVideo(MediaError):
    """A media file without moving pictures, such as sound alone."""


class CutShort(MediaError):
    """A film that ends before the length that it declares."""


def write_video(
    path: Path,
    frames: Frames | UInt8[Tensor, "t h w 3"],
    *,
    fps: float,
    metadata: Mapping[str, Any] | None = None,
    crf: int = DEFAULT_CRF,
) -> None:
    """Write a film as the extension says: H.264 (.mp4 .mov .mkv), VP9 (.webm), .gif or animated .webp.

    4:2:0, BT.709, limited range, tagged so. `metadata` travels inside as JSON (the comment tag, shown by players).
    `crf` runs from 0 (best) to 51. Equal input gives equal bytes. An interrupted write leaves nothing.
    Raises MediaError on a bad extension, frames, fps or crf, InvalidInput where the folder cannot be written.
    """
    path, array = Path(path), as_frames(frames)
    check_output(path)
    _check_options(array, fps=fps, crf=crf)
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        write_animation(path, array, fps=fps, metadata=metadata, quality=max(1, 100 - crf))
        return
    _check_even(array)
    container = CONTAINERS[path.suffix.lower()]
    text = None if metadata is None else pack(metadata)
    with atomic_path(path) as temporary:
        try:
            _encode(temporary, array, rate=_rate(fps), container=container, crf=crf, comment=text)
        except FFmpegError as error:
            raise MediaError(f"{path}: cannot be written ({error.strerror}); choose another place or size.") from None


def check_output(path: Path, *, suffixes: tuple[str, ...] = VIDEO_SUFFIXES) -> None:
    """Raises MediaError where a film could not be written to `path` later; nothing is created."""
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise MediaError(f"{path}: films are written as {', '.join(suffixes)}; use {path.stem or 'film'}.mp4.")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; name a file in it.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise MediaError(f"{path}: {folder} cannot be written; choose a folder you may write to.")


def read_video(path: Path, *, max_frames: int | None = None) -> tuple[Frames, float]:
    """(frames, fps) of the first video stream, upright, the whole of it or its first `max_frames`.

    Raises MediaError where the file is absent, empty, no film, damaged, or ends before the length that it declares.
    Memory: the frames twice.
    """
    if max_frames is not None and max_frames < 1:
        raise MediaError(f"max_frames={max_frames}: at least one frame is read; leave it out to read all.")
    path = Path(path)
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        return read_animation(path, max_frames=max_frames)
    with opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"err_detect": "explode"}  # a damaged frame is an error, not a grey patch
        frames, end_s = [], 0.0
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        for frame in container.decode(stream):
            frames.append(to_rgb(frame))
            end_s = _end_s(frame, rate)
            if len(frames) == max_frames:
                break
        declared_s = declared_end_s(stream)
        is_cut = len(frames) != max_frames and declared_s is not None and end_s < declared_s - 1.5 / rate
    if not frames:
        raise MediaError(f"{path}: no frame can be decoded; the file is empty or cut, fetch it again.")
    if is_cut:
        raise CutShort(f"{path}: ends at {end_s:.2f} s of {declared_s:.2f} s; the file is cut, fetch it again.")
    return np.stack(frames), float(rate)


def read_metadata(path: Path) -> dict[str, Any] | None:
    """The settings inside a film; None where it carries none of ours. Raises MediaError where it cannot be read."""
    path = Path(path)
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        return read_picture_metadata(path)
    with opened(path) as (container, _):
        tags = {name.lower(): text for name, text in container.metadata.items()}
    return find(tags.get("comment"), source=path)


def _check_options(frames: Frames, *, fps: float, crf: int) -> None:
    if not (math.isfinite(fps) and 0 < fps <= MAX_FPS):
        raise MediaError(f"fps={fps}: lies above 0 and up to {MAX_FPS}; use 24.")
    if not 0 <= crf <= 51:
        raise MediaError(f"crf={crf}: lies between 0 (best) and 51; use {DEFAULT_CRF}.")


def _check_even(frames: Frames) -> None:
    height, width = frames.shape[1:3]
    if height % 2 or width % 2:
        raise MediaError(f"frames of {width}x{height}: 4:2:0 film needs even sides; crop a row or column.")


def _rate(fps: float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)  # so that 23.976 is 24000/1001


def _encode(path: Path, frames: Frames, *, rate: Fraction, container: Container, crf: int, comment: str | None) -> None:
    with av.open(str(path), "w", options=dict(container.options)) as output:
        if comment is not None:
            output.metadata["comment"] = comment
        options = {**container.codec_options, "crf": str(crf)}
        stream = cast(VideoStream, output.add_stream(container.codec, rate=rate, options=options))
        context = stream.codec_context
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        context.thread_count = NUM_THREADS
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = LIMITED
        for index, picture in enumerate(frames):
            frame = _to_yuv(picture)
            frame.pts, frame.time_base = index, 1 / rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


def _to_yuv(picture: np.ndarray) -> VideoFrame:
    """Full-range RGB as limited-range BT.709, tagged: players take untagged small film for BT.601 and shift colours."""
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24").reformat(
        format="yuv420p",
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.colorspace, frame.color_range = BT709, LIMITED
    return frame


def to_rgb(frame: VideoFrame) -> np.ndarray:
    """The frame upright as RGB by its own tags, HDR tone-mapped.

    Untagged film is BT.709 from 720 lines up, else BT.601, as players assume.
    """
    is_tagged = frame.colorspace != Colorspace.DEFAULT
    guess = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    rgb = frame.reformat(
        format="rgb48le" if frame.color_trc in HDR_CURVES else "rgb24",
        src_colorspace=frame.colorspace if is_tagged else guess,
        dst_color_range=ColorRange.JPEG,
    ).to_ndarray()
    if frame.color_trc in HDR_CURVES:
        rgb = tone_map(rgb, curve=HDR_CURVES[frame.color_trc])
    return np.rot90(rgb, k=round(frame.rotation / 90) % 4) if frame.rotation else rgb


@contextmanager
def opened(path: Path, data: BinaryIO | None = None) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open container and its first video stream, FFmpeg's errors as MediaError.

    data: the film's bytes, where `path` is not the file itself but names it.
    """
    try:
        # old films have tags in Latin-1
        with av.open(data or str(path), mode="r", metadata_errors="replace") as container:
            if container.format.name not in READABLE:  # FFmpeg would "play" a text file, and playlists of other files
                raise MediaError(f"{path}: is not a film ({container.format.name}); use MP4, MOV, MKV, WebM or GIF.")
            if not container.streams.video:
                raise NoVideo(f"{path}: holds no video stream; use a film, or fetch the file again.")
            if cast(object, container.streams.video[0].codec_context) is None:  # PyAV's annotation leaves this case out
                raise MediaError(f"{path}: has no decoder for its video; convert it to H.264 first.")
            yield container, container.streams.video[0]
    except FileNotFoundError:
        raise MediaError(f"{path}: no such file; check the name.") from None
    except IsADirectoryError:
        raise MediaError(f"{path}: is a folder; name a film in it.") from None
    except FFmpegError as error:
        raise MediaError(f"{path}: is damaged or not a film ({error.strerror}); fetch it again.") from None


def _end_s(frame: VideoFrame, rate: Fraction) -> float:
    length_s = frame.duration * frame.time_base if frame.duration and frame.time_base else 1 / rate
    return float((frame.time or 0) + length_s)


def declared_end_s(stream: VideoStream) -> float | None:
    """When the stream says that it ends; Matroska keeps this in a tag such as 00:00:01.375000000."""
    if stream.duration is not None and stream.time_base is not None:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    return None if tag is None else int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3])
