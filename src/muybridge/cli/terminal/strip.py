"""A film's first, middle and last frame side by side, above whatever is drawn below them, again and again in place."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image
from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import ControlType
from rich.segment import Segment

from muybridge.cli.terminal.cells import half_blocks, letters
from muybridge.cli.terminal.escapes import iterm, kitty, kitty_gone, sixel
from muybridge.cli.terminal.kinds import Kind, cell_px
from muybridge.media.frames import Frames, Picture

MAX_ROWS = 16  # of cells: what was said before stays in sight
NUM_SHOWN = 3

_IN_CELLS: Mapping[Kind, Callable[[Picture], Iterable[list[Segment]]]] = MappingProxyType(
    {"cells": half_blocks, "ascii": letters}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Strip:
    """What is drawn: lines of cells, and pictures that lie over them, each with the column that it begins at."""

    lines: list[list[Segment]]
    pictures: tuple[tuple[int, str], ...] = ()


EMPTY = Strip(lines=[])


def strip_of(frames: Frames, console: Console, *, kind: Kind) -> Strip:
    """First, middle and last of the frames, as large as half the terminal takes."""
    shown = [frames[index] for index in sorted({0, len(frames) // 2, len(frames) - 1})]
    columns, rows = cells_of(shown[0], width=console.width, height=console.height, num=len(shown))
    if kind in _IN_CELLS:
        drawn = [_IN_CELLS[kind](resized(frame, columns, 2 * rows)) for frame in shown]
        lines = [[each for part in parts for each in (*part, Segment(" "))] for parts in zip(*drawn, strict=True)]
        return Strip(lines=lines)
    width, height = cell_px(console)
    large = [resized(frame, columns * width, rows * height) for frame in shown]
    words = [_picture(frame, kind, columns=columns, rows=rows, place=place) for place, frame in enumerate(large)]
    pictures = tuple((place * (columns + 1), each) for place, each in enumerate(words))
    return Strip(lines=[[] for _ in range(rows)], pictures=pictures)


def gone(kind: Kind) -> str:
    """What takes the pictures away where erasing the lines does not."""
    return "".join(map(kitty_gone, map(_number, range(NUM_SHOWN)))) if kind == "kitty" else ""


def cells_of(frame: Picture, *, width: int, height: int, num: int) -> tuple[int, int]:
    """(columns, rows) of one of `num` frames side by side, its shape kept in cells twice as high as wide."""
    tall, wide = frame.shape[:2]
    most = max((width - num) // num, 1)
    rows = min(MAX_ROWS, height // 2, int(most * tall / wide / 2))
    rows = max(rows, 1)
    return min(most, max(round(2 * rows * wide / tall), 1)), rows


def resized(picture: Picture, width: int, height: int) -> Picture:
    """The picture at that many pixels."""
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


@dataclass(frozen=True, kw_only=True, slots=True)
class Above:
    """A strip with something below it, for rich."""

    strip: Strip
    below: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        lines = [*self.strip.lines, *console.render_lines(self.below, options, pad=False)]
        for number, line in enumerate(lines):
            yield from ([Segment.line()] if number else [])
            yield from line
        up = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        for column, picture in self.strip.pictures:  # when all lines are there: else the screen would scroll
            right = f"\x1b[{column}C" if column else ""
            yield Segment(f"\x1b7{up}\r{right}{picture}\x1b8", None, [(ControlType.HOME,)])


def _picture(picture: Picture, kind: Kind, *, columns: int, rows: int, place: int) -> str:
    if kind == "kitty":
        return kitty(picture, columns=columns, rows=rows, number=_number(place))
    return iterm(picture, columns=columns, rows=rows) if kind == "iterm" else sixel(picture)


def _number(place: int) -> int:
    """Of a kitty picture; programs share the numbers of a terminal."""
    return 1 + NUM_SHOWN * (os.getpid() % 10**6) + place
