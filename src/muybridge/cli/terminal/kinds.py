"""Which way of drawing a terminal understands: what it says of itself in the environment, else what it answers."""

import contextlib
import fcntl
import os
import re
import select
import struct
import sys
import termios
import time
import tty
from collections.abc import Mapping
from typing import Literal

from rich.console import Console

Kind = Literal["kitty", "iterm", "sixel", "cells", "ascii"]

ANSWER_S = 1.0  # convention: terminals answer, slow lines within it; what comes later would reach the shell
DEVICE_ATTRIBUTES, ANSWER, HAS_SIXEL = b"\x1b[c", re.compile(rb"\x1b\[\?([\d;]*)c"), b"4"  # ECMA-48; DEC STD 070

# What a terminal says, by variable: the beginning of its value, and what that understands.
_SAYS: tuple[tuple[str, str, Kind], ...] = (
    ("TMUX", "", "cells"),  # these two draw the screen anew by themselves and know nothing of pictures
    ("STY", "", "cells"),
    ("KITTY_WINDOW_ID", "", "kitty"),
    ("TERM", "xterm-kitty", "kitty"),
    ("TERM", "xterm-ghostty", "kitty"),
    ("TERM_PROGRAM", "iTerm.app", "iterm"),
    ("LC_TERMINAL", "iTerm2", "iterm"),
    ("TERM_PROGRAM", "WezTerm", "iterm"),
    ("TERM_PROGRAM", "mintty", "iterm"),
    ("TERM", "foot", "sixel"),
    ("TERM", "mlterm", "sixel"),
)


def kind_of(console: Console, words: Mapping[str, str]) -> Kind:
    """How pictures are drawn on the console, a terminal; words: its environment variables.

    Asks the terminal only where its words say nothing and someone sits at it.
    """
    if console.color_system is None or not console.encoding.lower().startswith("utf"):
        return "ascii"
    for name, beginning, kind in _SAYS:
        if words.get(name, "").startswith(beginning) and words.get(name):
            return kind
    if words.get("TERM", "").startswith(("dumb", "linux", "screen", "tmux")):
        return "cells"
    return "sixel" if _answers_sixel(console) else "cells"


def cell_px(console: Console) -> tuple[int, int]:
    """(width, height) of a character cell; 10 x 20 where the terminal does not say, as in a VT340."""
    try:
        size = fcntl.ioctl(console.file.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
        rows, columns, width, height = struct.unpack("HHHH", size)
    except (OSError, ValueError):
        return 10, 20
    return (width // columns, height // rows) if rows and columns and width and height else (10, 20)


def _answers_sixel(console: Console) -> bool:
    try:
        asked, told = console.file.fileno(), sys.stdin.fileno()
        if not (os.isatty(asked) and os.isatty(told)):
            return False
        return says_sixel(asked, told)
    except (OSError, ValueError):  # no file behind it
        return False


def says_sixel(asked: int, told: int) -> bool:
    """Whether the terminal written to by `asked` answers on `told` that it draws sixels. Both are descriptors."""
    before = termios.tcgetattr(told)
    try:
        tty.setcbreak(told)
        os.write(asked, DEVICE_ATTRIBUTES)
        return HAS_SIXEL in _answer(told).split(b";")[1:]
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(told, termios.TCSAFLUSH, before)


def _answer(told: int) -> bytes:
    said, until = b"", time.monotonic() + ANSWER_S
    while (left := until - time.monotonic()) > 0 and select.select([told], [], [], left)[0]:
        said += os.read(told, 64)
        if found := ANSWER.search(said):
            return found[1]
    return b""
