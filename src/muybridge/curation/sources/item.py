"""One source as it was found: where it lies, and what was said of it."""

import os
from dataclasses import dataclass
from pathlib import Path

from muybridge.curation.clip import source_id
from muybridge.media.probe import FILM_SUFFIXES, PICTURE_SUFFIXES

MEDIA_SUFFIXES = frozenset((*FILM_SUFFIXES, *PICTURE_SUFFIXES))


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceItem:
    """A film or picture that was found or listed, or a file that is neither.

    `place` is a path of this machine or an address that is fetched when its turn comes. `uri` is text that any system
    can hold: relative to the folder or bucket that was given; control characters, "%" and bytes that are no UTF-8 are
    written as %XX. `problem` says why it is not looked at.
    """

    uri: str
    place: str
    is_remote: bool = False
    num_bytes: int | None = None
    licence: str | None = None
    has_consent: bool = False
    problem: str | None = None

    @property
    def id(self) -> str:
        """As of its clips' origin."""
        return source_id(self.uri)

    @property
    def given(self) -> dict[str, object]:
        """What it was taken in as; where this differs, it is taken in anew."""
        return {"licence": self.licence, "has_consent": self.has_consent, "num_bytes": self.num_bytes}


def is_media(name: str) -> bool:
    """Whether the suffix is that of a film or picture."""
    return Path(name).suffix.lower() in MEDIA_SUFFIXES


def as_uri(path: str) -> str:
    """A path as text without control characters, and of UTF-8 alone; different paths stay different."""
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    return "".join(each if each.isprintable() and each != "%" else _quoted(each) for each in text)


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
