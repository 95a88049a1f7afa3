"""Captions as people keep them: text files, JSON files, cells of a table."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from muybridge.data.report import Reason

CAPTION_COLUMNS = ("captions", "caption", "text", "prompt", "short_caption", "description")
MARK = "\ufffd"  # what stands where bytes were not UTF-8


def decoded(data: bytes) -> str:
    """UTF-8, with or without a mark at its start, UTF-16 by its mark; other bytes become U+FFFD."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


def read_captions(path: Path) -> tuple[str, ...]:
    """The captions of a sidecar: a text file is one, a JSON file may hold several. Raises OSError."""
    return parse_captions(path.read_bytes(), suffix=path.suffix.lower())


def parse_captions(data: bytes, *, suffix: str) -> tuple[str, ...]:
    """As `read_captions`, of bytes; JSON that is damaged or says nothing of captions gives none."""
    text = decoded(data)
    if suffix != ".json":
        return (text,)
    try:
        value = json.loads(text)
    except ValueError:
        return (MARK,)
    return captions_of(value) if isinstance(value, Mapping) else _strings(value)


def captions_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The captions of a table's row, by the names that the field uses; none where no such column has text."""
    lowered = {name.lower().strip(): value for name, value in row.items() if isinstance(name, str)}
    for column in CAPTION_COLUMNS:
        if found := _strings(lowered.get(column)):
            return found
    return ()


def problem(captions: Iterable[str]) -> Reason | None:
    """Why captions cannot be used; None where they can."""
    texts = list(captions)
    if not texts:
        return Reason.NO_CAPTION
    if any(_is_binary(text) for text in texts):
        return Reason.BINARY_CAPTION
    return None if all(text.strip() for text in texts) else Reason.EMPTY_CAPTION


def shortened(caption: str, max_words: int) -> str:
    """The caption with single spaces, its first `max_words` words."""
    return " ".join(caption.split()[:max_words])


def _is_binary(text: str) -> bool:
    return any(letter == MARK or (letter < " " and letter not in "\t\n\r\f\v") for letter in text)


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Iterable) and not isinstance(value, Mapping | bytes):
        return tuple(item for item in value if isinstance(item, str))
    return ()
