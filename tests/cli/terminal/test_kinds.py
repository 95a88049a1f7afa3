"""What a terminal says, and what is drawn on it for that."""

import io
import os
import pty
import threading
import tty

import pytest
from rich.console import Console

from muybridge.cli.terminal.kinds import ANSWER_S, cell_px, kind_of, says_sixel


def console(color_system: str | None = "truecolor", encoding: str = "utf-8") -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    return Console(file=file, force_terminal=True, color_system=color_system, legacy_windows=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux", "KITTY_WINDOW_ID": "1"}, "cells"),
        ({"TERM": "screen", "STY": "12.pts"}, "cells"),
        ({"TERM": "linux"}, "cells"),
        ({"TERM": "xterm-256color"}, "cells"),
        ({}, "cells"),
    ],
)
def test_what_a_terminal_says_decides(words: dict[str, str], kind: str) -> None:
    assert kind_of(console(), words) == kind


@pytest.mark.parametrize(("colours", "encoding"), [(None, "utf-8"), ("truecolor", "ascii"), ("truecolor", "latin-1")])
def test_without_colours_or_letters_beyond_ascii_there_is_ascii(colours: str | None, encoding: str) -> None:
    assert kind_of(console(colours, encoding), {"KITTY_WINDOW_ID": "1"}) == "ascii"


def answering(answer: bytes) -> bool:
    """Whether a terminal that answers so is taken to draw sixels; a real one, with a person's end and ours."""
    theirs, ours = pty.openpty()
    try:
        tty.setraw(theirs)

        def terminal() -> None:
            asked = os.read(theirs, 3)
            assert asked == b"\x1b[c"
            os.write(theirs, answer)

        person = threading.Thread(target=terminal)
        person.start()
        found = says_sixel(ours, ours)
        person.join()
        return found
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_terminal_is_asked_for_sixels() -> None:
    assert answering(b"\x1b[?62;4;22c")
    assert not answering(b"\x1b[?4;22c")  # its class, not what it can do
    assert not answering(b"\x1b[?62;22;44c")


def test_a_terminal_that_does_not_answer_is_not_waited_for() -> None:
    assert ANSWER_S <= 1 and not answering(b"")


def test_a_terminal_that_does_not_say_has_usual_cells() -> None:
    assert cell_px(console()) == (10, 20)
