"""One source as it was found: where it lies, and what was said of it."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from muybridge.curation.clip import source_id
from muybridge.media.probe import FILM_SUFFIXES, PICTURE_SUFFIXES

MEDIA_SUFFIXES = frozenset((*FILM_SUFFIXES, *PICTURE_SUFFIXES))
_PIECE_BYTES, _NUM_PIECES = 2**16, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceItem:
    """A film or picture that was found or listed, or a file that is neither.

    `place` is a path of this machine or an address that is fetched when its turn comes. `uri` is text that any system
    can hold: relative to the folder or bucket that was given; control characters, "%" and bytes that are no UTF-8 are
    written as %XX. `content` tells it from another file of its name and length. `problem` says why it is not looked at.
    """

    uri: str
    place: str
    is_remote: bool = False
    num_bytes: int | None = None
    content: str | None = None
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
        said = {"licence": self.licence, "has_consent": self.has_consent}
        return {**said, "num_bytes": self.num_bytes, "content": self.content}


def is_media(name: str) -> bool:
    """Whether the suffix is that of a film or picture."""
    return Path(name).suffix.lower() in MEDIA_SUFFIXES


def content_of(path: Path) -> str | None:
    """A digest of a file: of all up to 1 MiB, else of 16 pieces spread over it. None where it cannot be read.

    Clocks would not do: a copy of the footage has others, and is not to be measured anew.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            spread = (os.fstat(file.fileno()).st_size - _PIECE_BYTES) // (_NUM_PIECES - 1)
            for number in range(_NUM_PIECES):
                file.seek(number * max(spread, _PIECE_BYTES))
                digest.update(file.read(_PIECE_BYTES))
    except OSError:
        return None
    return digest.hexdigest()[:16]


def as_uri(path: str) -> str:
    """A path as text without control characters, and of UTF-8 alone; different paths stay different."""
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    return "".join(each if each.isprintable() and each != "%" else _quoted(each) for each in text)


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))
