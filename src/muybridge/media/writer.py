"""Film files from frames that come bit by bit, so that a film of any length needs the memory of a few frames."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from torch import Tensor

from muybridge.core.errors import MediaError
from muybridge.core.files import atomic_path
from muybridge.media.animation import write_animation
from muybridge.media.envelope import pack
from muybridge.media.formats import (
    ANIMATION_SUFFIXES,
    VIDEO_SUFFIXES,
    Codec,
    Coding,
    SaveOptions,
    check_animation,
    check_fps,
    coding,
)
from muybridge.media.frames import AnyFrames, as_any_frames, coarse

BT709 = 1  # H.273 code point of the primaries, the transfer curve and the matrix
LIMITED = 1  # 16..235, what players expect of YUV
NUM_THREADS = 4  # fixed, not the machine's cores: x264's bytes depend on it
PLAIN = SaveOptions()


class Sink(Protocol):
    """What a format does with the frames of a film as they come."""

    def start(self, width: int, height: int) -> None:
        """Called once, before the first frame."""

    def add(self, picture: np.ndarray) -> None:
        """Take one frame (h, w, 3) of uint8 or uint16."""


class FilmWriter:
    """A film being written; `write` may be called any number of times with frames of one size."""

    def __init__(self, path: Path, sink: Sink) -> None:
        self._path, self._sink = path, sink
        self._size: tuple[int, int] | None = None
        self.num_frames = 0

    def write(self, frames: AnyFrames) -> None:
        """Append frames: uint8, or uint16 of the full range for films of more than 8 bits. Raises MediaError."""
        array = as_any_frames(frames)
        height, width = array.shape[1:3]
        if self._size is None:
            self._sink.start(width, height)
            self._size = width, height
        if self._size != (width, height):
            given = f"frames of {width}x{height} after {self._size[0]}x{self._size[1]}"
            raise MediaError(f"{given}: a film has one size; bring them to it with geometry.fill.")
        for picture in array:
            self._sink.add(picture)
            self.num_frames += 1


@contextmanager
def open_writer(
    path: str | Path, *, fps: float, metadata: Mapping[str, Any] | None = None, options: SaveOptions = PLAIN
) -> Iterator[FilmWriter]:
    """A `FilmWriter` for `path`, whose extension says the format; the film appears when the block ends well.

    Coded film (.mp4 .mov .mkv .webm) needs the memory of some frames whatever its length, formats made of pictures
    (.gif .webp) that of the whole film. An exception or interrupt in the block leaves what was there before.
    Equal input gives equal bytes. `metadata` travels inside as JSON (the comment tag, shown by players).
    Raises MediaError on a bad extension, fps or options before anything is written, and where no frame came;
    InvalidInput where the folder cannot be written.
    """
    path = Path(path)
    check_output(path)
    check_fps(fps)
    sink = _animation if path.suffix.lower() in ANIMATION_SUFFIXES else _coded_film
    with sink(path, fps=fps, metadata=metadata, options=options) as opened:
        writer = FilmWriter(path, opened)
        yield writer
        if writer.num_frames == 0:
            raise MediaError(f"{path}: got no frame; a film has at least one.")


def write_video(
    path: str | Path,
    frames: AnyFrames | Iterable[AnyFrames],
    *,
    fps: float,
    metadata: Mapping[str, Any] | None = None,
    options: SaveOptions = PLAIN,
) -> None:
    """Write a film (t, h, w, 3), or its consecutive parts as an iterable gives them, as `open_writer` does."""
    parts = (frames,) if isinstance(frames, np.ndarray | Tensor) else frames
    with open_writer(path, fps=fps, metadata=metadata, options=options) as writer:
        for part in parts:
            writer.write(part)


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


@contextmanager
def _coded_film(
    path: Path, *, fps: float, metadata: Mapping[str, Any] | None, options: SaveOptions
) -> Iterator["_CodedFilm"]:
    how = coding(path, options)
    comment = None if metadata is None else pack(metadata)
    with atomic_path(path) as temporary:
        with _named(path):
            output = av.open(str(temporary), "w", options=dict(how.container))
        with output:
            film = _CodedFilm(path, output, how, rate=Fraction(fps).limit_denominator(1001), comment=comment)
            yield film
            film.finish()


class _CodedFilm:
    """One stream of film in a container."""

    def __init__(
        self, path: Path, output: OutputContainer, how: Coding, *, rate: Fraction, comment: str | None
    ) -> None:
        self._path, self._output, self._coding, self._rate = path, output, how, rate
        self._num_frames = 0
        self._stream: VideoStream | None = None
        if comment is not None:
            output.metadata["comment"] = comment

    def start(self, width: int, height: int) -> None:
        how = self._coding
        _check_sides(width, height, codec=how.codec)
        options = dict(how.options)
        stream = cast(VideoStream, self._output.add_stream(how.codec.encoder, rate=self._rate, options=options))
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = width, height, how.codec.formats[how.bits]
        context.thread_count = NUM_THREADS
        if how.bits_per_second is not None:
            context.bit_rate = how.bits_per_second
        if how.tag is not None:
            context.codec_tag = how.tag
        context.color_primaries = context.color_trc = BT709
        if not how.codec.is_rgb:
            context.colorspace, context.color_range = BT709, LIMITED
        self._stream = stream

    def add(self, picture: np.ndarray) -> None:
        assert self._stream is not None
        frame = _as_coded(picture, codec=self._coding.codec, pixels=self._coding.codec.formats[self._coding.bits])
        frame.pts, frame.time_base = self._num_frames, 1 / self._rate
        self._num_frames += 1
        with _named(self._path):
            self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        assert self._stream is not None
        with _named(self._path):
            self._output.mux(self._stream.encode(None))


@contextmanager
def _animation(
    path: Path, *, fps: float, metadata: Mapping[str, Any] | None, options: SaveOptions
) -> Iterator["_Kept"]:
    check_animation(path, options)
    kept = _Kept()
    yield kept
    crf = 17 if options.crf is None else options.crf
    write_animation(path, np.stack(kept.pictures), fps=fps, metadata=metadata, quality=max(1, 100 - crf))


class _Kept:
    """The frames of a format that is written in one go."""

    def __init__(self) -> None:
        self.pictures: list[np.ndarray] = []

    def start(self, width: int, height: int) -> None:
        """Any size will do."""

    def add(self, picture: np.ndarray) -> None:
        self.pictures.append(coarse(picture))


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """FFmpeg's errors as MediaErrors that name the file."""
    try:
        yield
    except FFmpegError as error:
        raise MediaError(f"{path}: cannot be written ({error.strerror}); choose another place or size.") from None


def _check_sides(width: int, height: int, *, codec: Codec) -> None:
    odd = [side % 2 and halved for side, halved in zip((width, height), codec.halves_sides, strict=True)]
    if any(odd):
        raise MediaError(f"frames of {width}x{height}: 4:2:0 film needs even sides; crop a row or column.")


def _as_coded(picture: np.ndarray, *, codec: Codec, pixels: str) -> VideoFrame:
    """Full-range RGB as the encoder takes it: YUV is limited-range BT.709, and tagged so.

    Players take untagged small film for BT.601 and shift its colours.
    """
    source = "rgb24" if picture.dtype == np.uint8 else "rgb48le"
    frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=source)
    if codec.is_rgb:
        return frame.reformat(format=pixels)
    frame = frame.reformat(
        format=pixels,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.colorspace, frame.color_range = BT709, LIMITED
    return frame
