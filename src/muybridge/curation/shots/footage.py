"""Footage read once, in order: upright pictures of the working size at a steady rate, and the sound beside them."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageSequence

from muybridge.core.errors import MediaError
from muybridge.curation.shots.sound import PassingSound
from muybridge.curation.yuv import rgb_of
from muybridge.media.animation import UNTIMED_MS
from muybridge.media.frames import Picture
from muybridge.media.image import as_rgb
from muybridge.media.image import opened as opened_image
from muybridge.media.probe import PICTURE_SUFFIXES, display_size
from muybridge.media.video import CutShort, NoVideo, declared_end_s, opened

MAX_PX = 2**27  # of a frame as it is stored: 16K film has 133 million
MAX_LONG = 4  # sides: footage narrower than this is scaled further down, so that a clip's memory is bounded
MAX_GAP_S = 120.0  # a picture that stays for longer is a fault of the time stamps (slides are read aloud in less)
LOOK_AHEAD = 32  # frames of an animation that its rate is taken from
SLACK = 0.25  # frames by which time stamps may be off, as containers round them

Timed = tuple[float, Callable[[], Picture]]  # when a picture begins to be shown, and how to get it


@dataclass(frozen=True, kw_only=True, slots=True)
class Footage:
    """An open source. `frames` can be walked through once, and raises MediaError where the source is damaged."""

    width_px: int  # upright, in square pixels, before it is scaled
    height_px: int
    fps: float  # of `frames`; 0 for a picture
    frames: Iterator[Picture]
    start_s: float = 0.0  # when the first frame is shown, by the sound's clock
    sound: PassingSound | None = None

    @property
    def is_picture(self) -> bool:
        """Whether there is one frame, and no time."""
        return self.fps == 0


@contextmanager
def footage(path: Path, *, side_px: int, max_fps: float) -> Iterator[Footage]:
    """The film, animation or picture at `path`, its short side at most `side_px`, both sides even.

    Film of changing rate is shown at its mean rate, by its time stamps; beyond `max_fps` frames are left out. Memory: a
    few frames of the source. Raises MediaError.
    """
    if path.suffix.lower() in PICTURE_SUFFIXES:
        with opened_image(path) as image:
            yield _pillow(image, path, side_px=side_px, max_fps=max_fps)
        return
    with opened(path) as (container, stream):
        yield _film(container, stream, path, side_px=side_px, max_fps=max_fps)


def working_size(width_px: int, height_px: int, *, side_px: int) -> tuple[int, int]:
    """(width, height) of clips from a source of this size."""
    long, short = max(width_px, height_px), min(width_px, height_px)
    scale = min(1.0, side_px / short, MAX_LONG * side_px / long)
    return _even(width_px * scale), _even(height_px * scale)


def paced(timed: Iterator[Timed], fps: float, *, path: Path) -> Iterator[Picture]:
    """The picture that is shown at 0, 1/fps, 2/fps ...; the last one once, with no rate it alone.

    Raises MediaError where the times leap.
    """
    count, last_s = 0, 0.0
    shown: Callable[[], Picture] | None = None
    picture: Picture | None = None
    for time_s, get in timed:
        if not -MAX_GAP_S < time_s - last_s < MAX_GAP_S:
            raise MediaError(f"{path}: its times leap from {last_s:.2f} s to {time_s:.2f} s; write it anew.")
        while shown is not None and count < time_s * fps - SLACK:
            picture = shown() if picture is None else picture
            yield picture
            count += 1
        shown, picture, last_s = get, None, time_s
    if shown is not None:
        yield shown() if picture is None else picture


def _film(container: InputContainer, stream: VideoStream, path: Path, *, side_px: int, max_fps: float) -> Footage:
    if stream.disposition & Disposition.attached_pic:
        raise NoVideo(f"{path}: holds sound and its cover, no film; leave it out.")
    _check_size(path, stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1  # a worker is one thread
    stream.codec_context.options = {"err_detect": "explode"}  # a damaged frame is an error, not a grey patch
    heard = container.streams.audio[0] if container.streams.audio else None
    sound = PassingSound(heard) if heard is not None and heard.codec_context.sample_rate else None
    decoded = _decoded(container, stream, sound, path)
    first = next(decoded, None)
    if first is None:
        raise MediaError(f"{path}: no frame can be decoded; the file is empty or cut, fetch it again.")
    width, height = display_size(first, stream)
    size = working_size(width, height, side_px=side_px)
    rate = _rate(stream)
    start = first.pts or 0  # not the stream's start: AVI counts from the first packet, which is decoded later
    second = next(decoded, None)
    frames = chain([first], [] if second is None else [second], decoded)
    timed = _timed(frames, stream, rate, start=start, size=size)
    fps = 0.0 if second is None else _thinned(float(rate), max_fps)
    return Footage(
        width_px=width,
        height_px=height,
        fps=fps,
        frames=paced(timed, fps, path=path),
        start_s=float(start * (stream.time_base or 0)),
        sound=None if second is None else sound,
    )


def _decoded(
    container: InputContainer, stream: VideoStream, sound: PassingSound | None, path: Path
) -> Iterator[VideoFrame]:
    """The film's frames; the sound is heard on the way. FFmpeg's errors as MediaError."""
    end_s = 0.0
    mean_s = 1 / _rate(stream)
    try:
        for packet in container.demux([stream] if sound is None else [stream, sound.stream]):
            if sound is not None and packet.stream is sound.stream:
                sound.hear(packet)
                continue
            for frame in packet.decode():
                assert isinstance(frame, VideoFrame)
                _check_size(path, frame.width, frame.height)
                length_s = frame.duration * frame.time_base if frame.duration and frame.time_base else mean_s
                end_s = (frame.time or 0) + float(length_s)
                yield frame
    except FFmpegError as error:
        raise MediaError(f"{path}: is damaged after {end_s:.2f} s ({error.strerror}); fetch it again.") from None
    declared_s = declared_end_s(stream)
    if declared_s is not None and end_s < declared_s - 1.5 * mean_s:
        raise CutShort(f"{path}: ends at {end_s:.2f} s of {declared_s:.2f} s; the file is cut, fetch it again.")


def _timed(
    frames: Iterator[VideoFrame], stream: VideoStream, rate: Fraction, *, start: int, size: tuple[int, int]
) -> Iterator[Timed]:
    base = stream.time_base or Fraction(1, 1000)
    for number, frame in enumerate(frames):
        time_s = number / rate if frame.pts is None else (frame.pts - start) * base
        yield float(time_s), lambda frame=frame: rgb_of(frame, size_px=size)


def _rate(stream: VideoStream) -> Fraction:
    """Frames per second; 25 where the file says none that can be."""
    return next(
        (rate for rate in (stream.average_rate, stream.guessed_rate) if rate and 1 <= rate <= 1000), Fraction(25)
    )


def _thinned(fps: float, max_fps: float) -> float:
    """The largest whole fraction of a rate that is not beyond the limit."""
    return round(fps / math.ceil(fps / max_fps), 6)


def _check_size(path: Path, width_px: int, height_px: int) -> None:
    if width_px * height_px > MAX_PX:
        raise MediaError(f"{path}: frames of {width_px}x{height_px}; at most {MAX_PX} pixels are read, scale it down.")


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2 - 0.01))  # 33 becomes 32: never enlarged


def _pillow(image: Image.Image, path: Path, *, side_px: int, max_fps: float) -> Footage:
    """An animation or picture."""
    if not getattr(image, "is_animated", False):
        picture = Image.fromarray(as_rgb(image, path))
        size = working_size(*picture.size, side_px=side_px)
        frames = iter([_scaled(picture, size)])
        return Footage(width_px=picture.width, height_px=picture.height, fps=0.0, frames=frames)
    size = working_size(*image.size, side_px=side_px)
    timed = _animated(image, path, size=size)
    ahead = list(islice(timed, LOOK_AHEAD))
    gaps_s = np.diff([time_s for time_s, _ in ahead])
    fps = _thinned(1 / float(np.median(gaps_s)), max_fps) if len(gaps_s) else 0.0
    frames = paced(chain(ahead, timed), fps, path=path)
    return Footage(width_px=image.width, height_px=image.height, fps=fps, frames=frames)


def _animated(image: Image.Image, path: Path, *, size: tuple[int, int]) -> Iterator[Timed]:
    """The pictures of an animation."""
    time_ms = 0.0
    try:
        for frame in ImageSequence.Iterator(image):
            picture = _scaled(_over_white(frame.convert("RGBA")), size)
            yield time_ms / 1000, lambda picture=picture: picture
            time_ms += frame.info.get("duration") or UNTIMED_MS
    except (OSError, SyntaxError, ValueError, IndexError) as error:  # Pillow's readers raise all of these on damage
        raise MediaError(f"{path}: is damaged after {time_ms / 1000:.2f} s ({error}); fetch it again.") from None


def _over_white(layer: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _scaled(picture: Image.Image, size: tuple[int, int]) -> Picture:
    return np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BICUBIC))
