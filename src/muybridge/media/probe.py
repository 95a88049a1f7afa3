"""What a film or picture is, without decoding more than its first frame."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps, ImageSequence

from muybridge.core.errors import MediaError
from muybridge.media.animation import UNTIMED_MS
from muybridge.media.image import IMAGE_SUFFIXES
from muybridge.media.image import opened as opened_image
from muybridge.media.video import HDR_CURVES, CutShort, NoVideo, declared_end_s, opened

FILM_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".wmv", ".gif")
PICTURE_SUFFIXES = (*IMAGE_SUFFIXES, ".gif")  # by Pillow, which alone knows whether they move
UNEVEN = 0.1  # a gap between frames this far from the usual one makes the rate variable
TICKS = 2  # ... if it is more than the container's clock rounds: Matroska counts in milliseconds
WIDE_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


class EmptyFile(MediaError):
    """A file of no bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """A film or picture as it is shown: upright, in square pixels. A picture has one frame and no duration."""

    width_px: int
    height_px: int
    num_frames: int
    fps: float  # mean over the film; 0 for a picture
    duration_s: float  # from the first frame's start to the last one's
    codec: str
    bit_depth: int = 8
    rotation_deg: int = 0  # counter-clockwise, from what is stored to what is shown
    is_variable: bool = False  # frames of unequal length
    is_hdr: bool = False
    is_anamorphic: bool = False  # pixels that are not square

    @property
    def is_picture(self) -> bool:
        """Whether nothing can move."""
        return self.num_frames == 1


def probe(path: Path, *, data: BinaryIO | None = None) -> Facts:
    """The facts of the film or picture at `path`, or in `data` under that name.

    A film's packets are all read, its first frame alone is decoded. Raises EmptyFile, NoVideo, CutShort, or MediaError
    where it is damaged, absent or something else.
    """
    num_bytes = path.stat().st_size if data is None and path.is_file() else None
    if num_bytes == 0 or (data is not None and not data.seek(0, os.SEEK_END)):
        raise EmptyFile(f"{path}: holds no bytes; fetch it again.")
    if data is not None:
        data.seek(0)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        with opened_image(path, data) as image:
            return _picture_facts(image)
    with opened(path, data) as (container, stream):
        if stream.disposition & Disposition.attached_pic:
            raise NoVideo(f"{path}: holds sound and its cover, no film; leave it out.")
        return _film_facts(path, container, stream)


def display_size(frame: VideoFrame, stream: VideoStream) -> tuple[int, int]:
    """(width, height) in square pixels of a decoded frame, upright."""
    aspect = stream.sample_aspect_ratio or 1
    width, height = max(1, round(frame.width * float(aspect))), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _film_facts(path: Path, container: InputContainer, stream: VideoStream) -> Facts:
    times, end_s, first = _timeline(path, container, stream)
    gaps = np.diff(times)
    mean_s = float(gaps.mean()) if len(gaps) else float(1 / (stream.average_rate or 25))
    declared_s = declared_end_s(stream)
    if declared_s is not None and end_s < declared_s - 1.5 * mean_s:
        raise CutShort(f"{path}: ends at {end_s:.2f} s of {declared_s:.2f} s; the file is cut, fetch it again.")
    width, height = display_size(first, stream)
    return Facts(
        width_px=width,
        height_px=height,
        num_frames=len(times),
        fps=round(1 / mean_s, 6) if len(times) > 1 else 0.0,
        duration_s=float(times[-1] - times[0]),
        codec=stream.codec_context.name,
        bit_depth=max(component.bits for component in first.format.components),
        rotation_deg=round(first.rotation) % 360,
        is_variable=_is_uneven(gaps, tick_s=float(stream.time_base or 0)),
        is_hdr=first.color_trc in HDR_CURVES,
        is_anamorphic=(stream.sample_aspect_ratio or 1) != 1,
    )


def _is_uneven(gaps: np.ndarray, *, tick_s: float) -> bool:
    """Whether some frame stays for clearly longer or shorter than the usual one."""
    if len(gaps) == 0:
        return False
    usual_s = float(np.median(gaps))
    return bool((np.abs(gaps - usual_s) > max(UNEVEN * usual_s, TICKS * tick_s)).any())


def _timeline(path: Path, container: InputContainer, stream: VideoStream) -> tuple[np.ndarray, float, VideoFrame]:
    """(times of all frames in s, sorted; end of the last one; the first frame)."""
    stamps: list[int] = []
    first: VideoFrame | None = None
    end = 0
    for packet in container.demux(stream):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is not None and packet.size and not packet.is_discard:
            stamps.append(stamp)
            end = max(end, stamp + (packet.duration or 0))
        if first is None:
            first = next(iter(packet.decode()), None)
    if first is None or not isinstance(first, VideoFrame) or not stamps:
        raise MediaError(f"{path}: no frame can be decoded; the file is empty or cut, fetch it again.")
    base = float(stream.time_base or 1)
    return np.sort(np.array(stamps, np.float64)) * base, end * base, first


def _picture_facts(image: Image.Image) -> Facts:
    num_frames = getattr(image, "n_frames", 1)
    lengths_ms = [UNTIMED_MS]
    if num_frames > 1:
        lengths_ms = [frame.info.get("duration") or UNTIMED_MS for frame in ImageSequence.Iterator(image)]
        image.seek(0)
    upright = ImageOps.exif_transpose(image) if num_frames == 1 else image
    total_s = sum(lengths_ms) / 1000
    return Facts(
        width_px=upright.width,
        height_px=upright.height,
        num_frames=num_frames,
        fps=num_frames / total_s if num_frames > 1 else 0.0,
        duration_s=total_s - lengths_ms[-1] / 1000 if num_frames > 1 else 0.0,
        codec=(image.format or "picture").lower(),
        bit_depth=16 if image.mode in WIDE_MODES else 8,
        rotation_deg=0 if upright is image or upright.size == image.size else 90,
        is_variable=max(lengths_ms) > (1 + UNEVEN) * min(lengths_ms) + 10,
    )
