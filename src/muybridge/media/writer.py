"""Film files from frames that come bit by bit, so that a film of any length needs the memory of a few frames."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from muybridge.core.errors import MediaError
from muybridge.media.animation import animation, check_animation
from muybridge.media.coded import coded_film
from muybridge.media.formats import ANIMATION_SUFFIXES, CONTAINERS, VIDEO_SUFFIXES, Coding, check_fps, coding
from muybridge.media.frames import AnyFrames, as_any_frames
from muybridge.media.retime import Motion, Rate, Retiming, check_motion
from muybridge.media.save_options import SaveOptions
from muybridge.media.sequence import check_sequence, is_sequence, sequence
from muybridge.media.sound import check_sound

PLAIN = SaveOptions()


class Sink(Protocol):
    """What a format does with the frames of a film as they come."""

    def start(self, width: int, height: int) -> None:
        """Called once, before the first frame."""

    def add(self, picture: np.ndarray) -> None:
        """Take one frame (h, w, 3) of uint8 or uint16."""


class FilmWriter:
    """A film being written; `write` may be called any number of times with frames of one size."""

    def __init__(self, path: Path, sink: Sink, *, retimings: Sequence[Retiming]) -> None:
        self._path, self._sink, self._retimings = path, sink, retimings
        self._size: tuple[int, int] | None = None

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
            self._pass_on(picture, 0)

    def finish(self) -> None:
        """Pass on the frames that wait for later ones. Raises MediaError where none came."""
        if self._size is None:
            raise MediaError(f"{self._path}: got no frame; a film has at least one.")
        for place, retiming in enumerate(self._retimings):
            for picture in retiming.flush():
                self._pass_on(picture, place + 1)

    def _pass_on(self, picture: np.ndarray, place: int) -> None:
        """To the retiming at `place`, behind the last one to the file."""
        if place == len(self._retimings):
            self._sink.add(picture)
            return
        for made in self._retimings[place].push(picture):
            self._pass_on(made, place + 1)


@contextmanager
def open_writer(
    path: str | Path, *, fps: float, metadata: Mapping[str, Any] | None = None, options: SaveOptions = PLAIN
) -> Iterator[FilmWriter]:
    """A `FilmWriter` for `path`, whose extension says the format; the film appears when the block ends well.

    Coded film (.mp4 .mov .mkv .webm) needs the memory of some frames whatever its length, formats made of pictures
    (.gif .webp .apng) that of the whole film; NAME-%05d.png writes one picture after the other. An exception or
    interrupt in the block leaves what was there before. Equal input gives equal bytes. `metadata` travels inside as
    JSON (the comment tag, shown by players).
    Raises MediaError on a bad extension, fps or options before anything is written, and where no frame came;
    InvalidInput where the folder cannot be written.
    """
    path = Path(path)
    check_fps(fps)
    check_output(path, options=options, fps=fps)
    with _sink(path, fps=options.fps_of(fps), metadata=metadata, options=options) as sink:
        writer = FilmWriter(path, sink, retimings=_retimings(fps, options))
        yield writer
        writer.finish()


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


def check_output(
    path: Path,
    *,
    options: SaveOptions = PLAIN,
    fps: float | None = None,
    suffixes: tuple[str, ...] = VIDEO_SUFFIXES,
) -> None:
    """Raises MediaError where a film could not be written so to `path` later; nothing is created."""
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes and not is_sequence(path):
        raise MediaError(f"{path}: films are written as {', '.join(suffixes)}; use {path.stem or 'film'}.mp4.")
    if path.is_dir():
        raise MediaError(f"{path}: is a folder; name a file in it.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise MediaError(f"{path}: {folder} cannot be written; choose a folder you may write to.")
    if suffix in CONTAINERS:
        _coding(path, options)
    elif is_sequence(path):
        check_sequence(path, options)
    elif suffix in ANIMATION_SUFFIXES:
        check_animation(path, options, fps=None if fps is None else options.fps_of(fps))
    if options.interpolate is not None:
        check_motion()
    if options.audio is not None:
        check_sound(Path(options.audio))


def depth(path: Path, options: SaveOptions) -> int:
    """Bits a channel that the file will keep, so that pixels may be made as fine. Raises MediaError."""
    return 10 if path.suffix.lower() in CONTAINERS and "10" in _coding(path, options).pixel_format else 8


def _coding(path: Path, options: SaveOptions) -> Coding:
    return coding(path, codec=options.codec, crf=options.crf, bitrate=options.bitrate, bits=options.bits)


def _sink(
    path: Path, *, fps: float, metadata: Mapping[str, Any] | None, options: SaveOptions
) -> AbstractContextManager[Sink]:
    if is_sequence(path):
        return sequence(path, metadata=metadata)
    if path.suffix.lower() in ANIMATION_SUFFIXES:
        return animation(path, fps=fps, metadata=metadata, crf=options.crf)
    sound = None if options.audio is None else Path(options.audio)
    return coded_film(path, _coding(path, options), fps=fps, metadata=metadata, sound=sound)


def _retimings(fps: float, options: SaveOptions) -> list[Retiming]:
    found: list[Retiming] = []
    if options.interpolate is not None:
        found.append(Motion(options.interpolate))
    if options.output_fps is not None:
        now = Fraction(fps).limit_denominator(1001) * (options.interpolate or 1)
        output_fps = Fraction(options.output_fps).limit_denominator(1001)
        found.append(Rate(now, output_fps, between=options.between or "repeat"))
    return found
