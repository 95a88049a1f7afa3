"""Frames side by side above the bars, as a small terminal of our own shows them."""

import io
import re

import numpy as np
import pytest
from rich.console import Console
from rich.text import Text

from muybridge.cli.preview import Pace
from muybridge.cli.terminal.kinds import Kind
from muybridge.cli.terminal.strip import EMPTY, Above, cells_of, gone, resized, strip_of
from tests.cli.terminal.test_escapes import decoded_kitty, decoded_sixel

FRAMES = np.random.default_rng(0).integers(0, 256, (5, 16, 24, 3), dtype=np.uint8)
WIDTH, HEIGHT = 80, 24


def console() -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        width=WIDTH,
        height=HEIGHT,
        legacy_windows=False,
    )


def drawn(kind: Kind, frames: np.ndarray = FRAMES) -> str:
    screen = console()
    screen.print(Above(strip=strip_of(frames, screen, kind=kind), below=Text("denoising")), end="")
    file = screen.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def decoded_cells(words: str) -> np.ndarray:
    """Of lines of half blocks: the picture, two pixels a cell; columns without colours are black."""
    lines = []
    for line in words.split("\n"):
        cells = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m(▀+)\x1b\[0m|( )", line)
        row = [[int(number) for number in cell[:6]] if cell[6] else [0] * 6 for cell in cells for _ in cell[6] or " "]
        lines.append(np.array(row, np.uint8).reshape(-1, 2, 3).transpose(1, 0, 2))
    return np.concatenate(lines)


def test_half_blocks_are_first_middle_and_last_frame() -> None:
    *lines, below = drawn("cells").split("\n")
    picture = decoded_cells("\n".join(lines))
    columns, rows = cells_of(FRAMES[0], width=WIDTH, height=HEIGHT, num=3)
    gap = np.zeros((2 * rows, 1, 3), np.uint8)
    wanted = [part for index in (0, 2, 4) for part in (resized(FRAMES[index], columns, 2 * rows), gap)]
    assert (picture == np.concatenate(wanted, 1)).all() and below.strip() == "denoising"


def test_letters_are_dark_where_the_frame_is_dark() -> None:
    halves = np.zeros((1, 16, 24, 3), np.uint8)
    halves[:, :, 12:] = 255
    lines = drawn("ascii", halves).split("\n")[:-1]
    assert all(set(line[: len(line) // 2 - 2]) == {" "} and line.rstrip()[-3:] == "@@@" for line in lines)
    assert "\x1b" not in "".join(lines)


@pytest.mark.parametrize("kind", ["kitty", "iterm", "sixel"])
def test_pictures_lie_over_empty_lines_and_the_cursor_comes_back(kind: Kind) -> None:
    words = drawn(kind)
    columns, rows = cells_of(FRAMES[0], width=WIDTH, height=HEIGHT, num=3)
    pictures = re.findall(r"\x1b7\x1b\[(\d+)A\r(?:\x1b\[(\d+)C)?(.*?)\x1b8", words, re.S)
    assert [(int(up), int(right or 0)) for up, right, _ in pictures] == [(rows, n * (columns + 1)) for n in range(3)]
    before = words[: words.index("\x1b7")]
    assert before.count("\n") == rows and before.strip() == "denoising"
    sizes = {decoded_kitty(each)[1].shape if kind == "kitty" else decoded_sixel(each).shape for *_, each in pictures
             if kind != "iterm"}  # fmt: skip
    assert sizes <= {(rows * 20, columns * 10, 3)}  # cells of a terminal that does not say


def test_kitty_pictures_are_replaced_and_taken_away() -> None:
    first, second = drawn("kitty"), drawn("kitty", FRAMES[::-1])
    numbers = [re.findall(r"i=(\d+)", words) for words in (first, second, gone("kitty"))]
    assert numbers[0] == numbers[1] == numbers[2] and len(set(numbers[0])) == 3
    assert gone("cells") == gone("sixel") == ""


@pytest.mark.parametrize("frame_px", [(16, 24), (24, 16), (90, 160), (4, 400), (400, 4), (1, 1)])
@pytest.mark.parametrize("terminal", [(80, 24), (20, 5), (300, 100), (3, 1)])
def test_a_strip_fits_the_terminal_and_keeps_the_shape(frame_px: tuple[int, int], terminal: tuple[int, int]) -> None:
    tall, wide = frame_px
    columns, rows = cells_of(np.zeros((tall, wide, 3), np.uint8), width=terminal[0], height=terminal[1], num=3)
    assert columns >= 1 and rows >= 1
    assert 3 * (columns + 1) <= max(terminal[0], 6) and rows <= max(terminal[1] // 2, 1)
    if min(columns, rows) > 4:
        assert columns / (2 * rows) == pytest.approx(wide / tall, rel=0.2)


def test_before_the_first_preview_only_the_bars_are_drawn() -> None:
    screen = console()
    screen.print(Above(strip=EMPTY, below=Text("denoising")), end="")
    assert isinstance(screen.file, io.StringIO) and screen.file.getvalue().strip() == "denoising"


def test_the_first_look_does_not_put_off_the_next() -> None:
    """It fits the small decoder; later looks take their share of the time."""
    pace = Pace(0.0)
    pace.shown(3600.0)
    assert pace.is_due()
    pace.shown(3600.0)
    assert not pace.is_due()
