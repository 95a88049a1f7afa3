"""Times of a film as people write them: a frame counted from 0, "24", or seconds, "1.5s" or "1.5"."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from muybridge.core.errors import invalid

_TIME = re.compile(r"(?P<frame>\d{1,6})|(?P<seconds>\d{1,6}(?:\.\d{0,12})?|\.\d{1,12})s?")
_RULE, _REMEDY = "is neither a frame nor seconds", "write it like 24 or 1.5s"


def time_word(given: Any, *, name: str) -> str:
    """The word of a frame (int), of seconds (float), or of either as it is. Raises InvalidInput, which says `name`."""
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        raise invalid(f"{name} at {given!r}", _RULE, _REMEDY)
    word = f"{given:.6f}".rstrip("0").rstrip(".") + "s" if isinstance(given, float) else str(given).strip()
    check_time(word, name=name)
    return word


def check_time(word: Any, *, name: str) -> None:
    """Raises InvalidInput, which says `name`, where the word is no time."""
    if not isinstance(word, str) or _TIME.fullmatch(word) is None:
        raise invalid(f"{name} at {word!r}", _RULE, _REMEDY)


def frame_at(word: str, fps: float) -> float:
    """The frame that is shown at a time, from 0; between frames where the time is."""
    match = _TIME.fullmatch(word)
    assert match is not None
    return float(match["frame"]) if match["frame"] else float(match["seconds"]) * fps


def at_times(given: Any, *, name: str, what: str) -> list[tuple[str, Any]]:
    """(time, what) of {time: what}, or of words such as "1.5s=WHAT". Raises InvalidInput, which says `name`."""
    if isinstance(given, Mapping):
        return [(time_word(time, name=name), value) for time, value in given.items()]
    words = [given] if isinstance(given, str) or not isinstance(given, Sequence) else given
    for word in words:
        if not isinstance(word, str) or not all(word.partition("=")):
            raise invalid(f"{name} at {word!r}", f"is not TIME={what}", f"write it like 24={what} or 1.5s={what}")
    pairs = (word.partition("=") for word in words)
    return [(time_word(time, name=name), value.strip()) for time, _, value in pairs]
