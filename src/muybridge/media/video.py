"""Film files as uint8 frames, and the settings inside them."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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

from muybridge.core.errors import MediaError
from muybridge.media.animation import read_animation
from muybridge.media.colour import EXACT
from muybridge.media.envelope import find
from muybridge.media.formats import ANIMATION_SUFFIXES
from muybridge.media.frames import Frames
from muybridge.media.image import read_metadata as read_picture_metadata
from muybridge.media.tonemap import Curve, tone_map

HDR_CURVES: Mapping[int, Curve] = {16: "pq", 18: "hlg"}  # H.273 code points
UNTAGGED, HD_LINES = 2, 720
READABLE = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "mxf"}


class NoVideo(MediaError):
    """A media file without moving pictures, such as sound alone."""


class CutShort(MediaError):
    """A film that ends before the length that it declares."""


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


def to_rgb(frame: VideoFrame, *, size_px: tuple[int, int] | None = None) -> np.ndarray:
    """The frame upright as RGB by its own tags, HDR tone-mapped; untagged film as players take it (see `matrix_of`).

    size_px: (width, height) that it is scaled to on the way, upright; else it stays as it is.
    """
    width, height = size_px or (None, None)
    if frame.rotation % 180:
        width, height = height, width
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb48le" if frame.color_trc in HDR_CURVES else "rgb24",
        src_colorspace=matrix_of(frame),
        dst_color_range=ColorRange.JPEG,
        interpolation=EXACT,
    ).to_ndarray()
    if frame.color_trc in HDR_CURVES:
        rgb = tone_map(rgb, curve=HDR_CURVES[frame.color_trc])
    return np.rot90(rgb, k=round(frame.rotation / 90) % 4) if frame.rotation else rgb


def matrix_of(frame: VideoFrame) -> int:
    """The H.273 code point of the matrix that made its YUV; untagged, BT.709 from 720 lines up, else BT.601."""
    if frame.colorspace != UNTAGGED:
        return frame.colorspace
    return Colorspace.ITU709 if frame.height >= HD_LINES else Colorspace.ITU601


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
