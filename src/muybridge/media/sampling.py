"""Chosen moments of a film as frames, without holding the rest of it."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageSequence

from muybridge.core.errors import MediaError
from muybridge.media.animation import UNTIMED_MS
from muybridge.media.frames import Frames
from muybridge.media.image import opened as opened_image
from muybridge.media.image import read_image
from muybridge.media.probe import PICTURE_SUFFIXES, display_size
from muybridge.media.video import CutShort, opened, to_rgb

SEEK_FROM_S = 4.0  # an earlier moment is reached by decoding from the start, which no file gets wrong

Fit = Callable[[np.ndarray], np.ndarray]


def read_at(path: Path, times_s: Sequence[float], *, fit: Fit, data: BinaryIO | None = None) -> Frames:
    """The frames shown at `times_s`, ascending, counted from the first frame's start; each passed through `fit`.

    A frame counts as shown from a quarter frame (of the mean rate) before its time on, so that clocks that round do
    not matter. Memory: the result and one frame. Raises CutShort where the film ends before, MediaError where damaged.
    """
    suffix = path.suffix.lower()
    if suffix in PICTURE_SUFFIXES and (suffix == ".gif" or len(times_s) > 1 or times_s[0] > 0):
        with opened_image(path, data) as image:
            return _chosen(_animation(image), times_s, fit=fit, slack_s=0.005, path=path)
    if suffix in PICTURE_SUFFIXES:
        return fit(read_image(path, data=data))[None]
    if times_s[0] >= SEEK_FROM_S:
        found = _read_film(path, times_s, fit=fit, data=data, is_sought=True)
        if found is not None:
            return found
    found = _read_film(path, times_s, fit=fit, data=data, is_sought=False)
    assert found is not None
    return found


def _read_film(
    path: Path, times_s: Sequence[float], *, fit: Fit, data: BinaryIO | None, is_sought: bool
) -> Frames | None:
    """The frames; None where seeking led past the first of them or into something undecodable."""
    if data is not None:
        data.seek(0)
    with opened(path, data) as (container, stream):
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"err_detect": "explode"}  # a damaged frame is an error, not a grey patch
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        try:
            timed = _film(container, stream, rate, from_s=times_s[0] if is_sought else None)
            return _chosen(timed, times_s, fit=fit, slack_s=float(0.25 / rate), path=path)
        except (_SoughtTooFar, FFmpegError):
            if is_sought:
                return None
            raise


class _SoughtTooFar(Exception):
    """The first frame after a seek lies behind the moment that was sought."""


Timed = tuple[float, Callable[[], np.ndarray]]  # when a frame starts, and how to get its pixels


def _film(container: InputContainer, stream: VideoStream, rate: Fraction, *, from_s: float | None) -> Iterator[Timed]:
    base = stream.time_base or Fraction(1, 1000)
    frames = container.decode(stream)
    first = next(frames, None)
    if first is None:
        return
    start = first.pts or 0  # not the stream's start: AVI counts from the first packet, which is decoded later
    if from_s is None:
        yield 0.0, _square_pixels(first, stream)
    else:
        container.seek(start + int(from_s / base), stream=stream)
        frames = container.decode(stream)
    for number, frame in enumerate(frames, start=1):
        time_s = number / float(rate) if frame.pts is None else float((frame.pts - start) * base)
        if number == 1 and from_s is not None and (frame.pts is None or time_s > from_s):
            raise _SoughtTooFar
        yield time_s, _square_pixels(frame, stream)


def _square_pixels(frame: VideoFrame, stream: VideoStream) -> Callable[[], np.ndarray]:
    def pixels() -> np.ndarray:
        rgb = to_rgb(frame)
        size = display_size(frame, stream)
        if size == (rgb.shape[1], rgb.shape[0]):
            return rgb
        return np.asarray(Image.fromarray(np.ascontiguousarray(rgb)).resize(size, Image.Resampling.LANCZOS))

    return pixels


def _animation(image: Image.Image) -> Iterator[Timed]:
    time_ms = 0
    for frame in ImageSequence.Iterator(image):
        layer = frame.convert("RGBA")
        yield time_ms / 1000, lambda layer=layer: _over_white(layer)
        time_ms += frame.info.get("duration") or UNTIMED_MS


def _over_white(layer: Image.Image) -> np.ndarray:
    return np.asarray(Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB"))


def _chosen(timed: Iterator[Timed], times_s: Sequence[float], *, fit: Fit, slack_s: float, path: Path) -> Frames:
    frames: list[np.ndarray] = []
    shown: Callable[[], np.ndarray] | None = None
    last_s = 0.0
    for time_s, pixels in timed:
        while shown is not None and len(frames) < len(times_s) and time_s > times_s[len(frames)] + slack_s:
            frames.append(fit(shown()))
        if len(frames) == len(times_s):
            break
        shown, last_s = pixels, time_s
    if shown is None:
        raise MediaError(f"{path}: no frame can be decoded; the file is empty or cut, fetch it again.")
    while len(frames) < len(times_s):
        if times_s[len(frames)] > last_s + 4 * slack_s:
            raise CutShort(f"{path}: ends at {last_s:.2f} s, before {times_s[-1]:.2f} s; fetch it again.")
        frames.append(fit(shown()))
    return np.stack(frames)
