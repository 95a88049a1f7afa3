"""What the film at hand looks like so far: above the progress bars, and in a file that a browser shows moving."""

import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from rich.console import Console, RenderableType

from muybridge.cli.terminal.kinds import Kind, kind_of
from muybridge.cli.terminal.strip import EMPTY, Above, gone, resized, strip_of
from muybridge.core.env import terminal_words
from muybridge.core.errors import MediaError
from muybridge.media.formats import ANIMATION_SUFFIXES
from muybridge.media.frames import Frames
from muybridge.media.writer import write_video

if TYPE_CHECKING:
    from muybridge import Progress

MAX_SIDE_PX = 512  # of a preview file: a preview has a pixel for every four
FILE_EVERY_S, SCREEN_EVERY_S = 2.0, 0.25  # convention: about as often as people look
MAX_SHARE = 0.05  # of the time may go into a preview


class Pace:
    """Says when to show again: not sooner than `every_s`, and so that showing takes a small share of the time."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next_s = 0.0
        self._is_first = True

    def is_due(self) -> bool:
        """True from the time on that was last agreed."""
        return time.monotonic() >= self._next_s

    def shown(self, seconds: float) -> None:
        """It took so long; the first time, when the small decoder is fitted, says nothing of those to come."""
        wait_s = self._every_s if self._is_first else max(self._every_s, seconds * (1 / MAX_SHARE - 1))
        self._next_s, self._is_first = time.monotonic() + wait_s, False


class ScreenPreview:
    """Draws a strip of frames above the bars of a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._kind: Kind = kind_of(console, terminal_words())
        self._strip, self._pace = EMPTY, Pace(SCREEN_EVERY_S)

    def show(self, progress: "Progress") -> None:
        """Look at what is made, where it is time to."""
        if progress.preview is None or not self._pace.is_due():
            return
        started = time.monotonic()
        self._strip = strip_of(progress.preview(), self._console, kind=self._kind)
        self._pace.shown(time.monotonic() - started)

    def over(self, bars: RenderableType) -> RenderableType:
        """The bars with the strip above them."""
        return Above(strip=self._strip, below=bars)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no picture behind."""
        if words := gone(self._kind):
            self._console.file.write(words)
            self._console.file.flush()


class FilePreview:
    """Writes what is made so far to an animated WebP or GIF, replaced whole."""

    def __init__(self, path: Path, *, fps: int) -> None:
        self._path, self._fps, self._pace = path, fps, Pace(FILE_EVERY_S)

    def show(self, progress: "Progress") -> None:
        """Write what is made, where it is time to, and in the last step."""
        if progress.preview is None or not (self._pace.is_due() or progress.done == progress.total):
            return
        started = time.monotonic()
        write_video(self._path, enlarged(progress.preview()), fps=self._fps)
        self._pace.shown(time.monotonic() - started)


def check_preview_file(path: Path) -> None:
    """Raises MediaError where a preview could not be written so."""
    if path.suffix.lower() not in ANIMATION_SUFFIXES:
        known = ", ".join(ANIMATION_SUFFIXES)
        raise MediaError(f"--preview-file {path}: previews are written as {known}; use {path.stem}.webp.")


def enlarged(frames: Frames) -> Frames:
    """Four times as large each way, as the film will be, but no side above MAX_SIDE_PX."""
    height, width = frames.shape[1:3]
    scale = min(4.0, MAX_SIDE_PX / max(height, width))
    return np.stack([resized(frame, max(round(width * scale), 1), max(round(height * scale), 1)) for frame in frames])
