"""JSON as language models write it, read all the same, with a note of everything that is not JSON about it."""

import json
import re
from typing import Any

from muybridge.core.errors import invalid

MAX_DEPTH = 8  # convention: a caption has one level
_DOUBLE, _SINGLE = '"\u201c\u201d', "'`\u2018\u2019"  # straight and curly
_OPENING = _DOUBLE + _SINGLE
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": "", "u": ""}
_KEY_ENDS = re.compile(r"\s*:")
_VALUE_ENDS = re.compile(
    r"\s*(?:[}\]]|$|,?\s*[\"'`\u201c\u201d\u2018]?[A-Za-z][\w \-]*[\"'`\u201c\u201d\u2019]?\s*:|,\s*(?:[}\]]|$))"
)
_ITEM_ENDS = re.compile(r"\s*(?:[}\]]|$|,?\s*[\"'`\u201c\u2018]|,\s*\])")
_SKIPPED = re.compile(r"(?:[\s,]|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BARE = re.compile(r"[^,}\]\n]*")
_BARE_KEY = re.compile(r"[\w \-]+?(?=\s*:)")
_WORDS = {"true": True, "false": False, "null": None, "none": None}


def read_object(text: str) -> tuple[dict[str, Any], list[str]]:
    """The first object in a text, and what had to be mended to read it. Raises InvalidInput where there is none."""
    start = text.find("{")
    if start < 0:
        raise invalid(f"{text.strip()[:60]!r}", "holds no JSON object", "answer with one object and nothing else")
    try:
        found, end = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        reader = _Reader(text, start)
        found, end = reader.value(0), reader.place
        notes = reader.notes or ["commas or comments that are not JSON's"]
    else:
        notes = []
    if text[:start].strip() or text[end:].strip():
        notes.insert(0, "text around the object")
    return found, notes


class _Reader:
    """A place in a text that goes forward; strings end where what follows makes sense."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.place = start
        self.notes: list[str] = []

    def value(self, depth: int) -> Any:
        """The value that begins here."""
        if depth > MAX_DEPTH:
            raise invalid(f"an object {depth} deep", f"at most {MAX_DEPTH} levels are read", "answer with one level")
        letter = self._next()
        if letter == "{":
            return self._object(depth)
        if letter == "[":
            return self._array(depth)
        if letter and letter in _OPENING:
            return self._string(_VALUE_ENDS)
        return self._bare()

    def _object(self, depth: int) -> dict[str, Any]:
        self.place += 1
        found: dict[str, Any] = {}
        while self._next() not in ("}", ""):
            begun = self.place
            key = self._key()
            if self._next(skips_commas=False) == ":":
                self.place += 1
                found[key] = self.value(depth + 1)
            elif self.place == begun:
                self.place += 1  # a stray sign
            else:
                self._note("a key without a value")
        self._close()
        return found

    def _array(self, depth: int) -> list[Any]:
        self.place += 1
        found = []
        while (letter := self._next()) not in ("]", ""):
            if letter == "}":
                break
            begun = self.place
            found.append(self._string(_ITEM_ENDS) if letter in _OPENING else self.value(depth + 1))
            self.place += self.place == begun
        self._close()
        return found

    def _key(self) -> str:
        if self._next() in _OPENING:
            return self._string(_KEY_ENDS)
        found = _BARE_KEY.match(self.text, self.place)
        self._note("a key without quotes")
        self.place = found.end() if found else self.place
        return found[0].strip() if found else ""

    def _string(self, ends: re.Pattern[str]) -> str:
        quote = self.text[self.place]
        if quote != '"':
            self._note("quotes that are not JSON's")
        closing, letters = _DOUBLE if quote in _DOUBLE else _SINGLE, []
        self.place += 1
        while self.place < len(self.text):
            letter = self.text[self.place]
            self.place += 1
            if letter == "\\":
                letters.append(self._escaped())
            elif letter not in closing:
                letters.append(letter)
            elif ends.match(self.text, self.place):
                return "".join(letters)
            else:
                self._note("quotes within a text")
                letters.append(letter)
        self._note("it ends within a text")
        return "".join(letters)

    def _escaped(self) -> str:
        letter = self.text[self.place : self.place + 1]
        self.place += 1
        if letter == "u" and re.fullmatch(r"[0-9a-fA-F]{4}", code := self.text[self.place : self.place + 4]):
            self.place += 4
            return chr(int(code, 16)) if not 0xD800 <= int(code, 16) < 0xE000 else ""
        return _ESCAPES.get(letter, letter)

    def _bare(self) -> Any:
        found = _BARE.match(self.text, self.place)
        assert found is not None  # it may be empty
        self.place = found.end()
        word = found[0].strip()
        if word.lower() not in ("true", "false", "null"):
            self._note("a text without quotes")
        return _WORDS.get(word.lower(), word)

    def _next(self, *, skips_commas: bool = True) -> str:
        """The sign that comes next, after spaces, comments and commas; empty at the end."""
        skipped = _SKIPPED.match(self.text, self.place)
        assert skipped is not None
        if skips_commas or "," not in skipped[0]:
            self.place = skipped.end()
        return self.text[self.place : self.place + 1]

    def _close(self) -> None:
        if self.place >= len(self.text):
            self._note("it ends before it is closed")
        self.place += 1

    def _note(self, what: str) -> None:
        if what not in self.notes:
            self.notes.append(what)
