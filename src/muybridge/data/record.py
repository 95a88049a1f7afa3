"""One input of a data set: where its bytes lie and what is said of it."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from muybridge.core.files import sha256
from muybridge.data.buckets import BucketsConfig
from muybridge.data.report import Row
from muybridge.media.probe import FILM_SUFFIXES, PICTURE_SUFFIXES

MEDIA_SUFFIXES = frozenset((*FILM_SUFFIXES, *PICTURE_SUFFIXES))


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaFile:
    """A file, or a stretch of one: a member of a tar."""

    path: Path
    member: str | None = None
    offset: int = 0
    num_bytes: int = 0  # of the member

    @property
    def name(self) -> Path:
        """What it is called in messages; its suffix tells the format."""
        return self.path if self.member is None else self.path / PurePosixPath(self.member)

    def data(self) -> io.BytesIO | None:
        """A member's bytes; None for a plain file, which is read where it lies."""
        return None if self.member is None else io.BytesIO(self.read())

    def read(self) -> bytes:
        """All bytes. Raises OSError where the file is absent."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(-1 if self.member is None else self.num_bytes)

    def stamp(self) -> str:
        """Changes when the file is written anew. Raises OSError where it is absent."""
        status = self.path.stat()
        return f"{self.path.resolve()}|{self.offset}|{self.num_bytes}|{status.st_size}|{status.st_mtime_ns}"

    def sha256(self) -> str:
        """Hex SHA-256 of the bytes. Raises OSError where the file is absent."""
        return sha256(self.path) if self.member is None else hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """A film or picture with its captions. `id` is unique in a data set and is what the report calls it."""

    id: str
    media: MediaFile
    captions: tuple[str, ...] = ()
    num_repeats: int = 1  # times an epoch


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Records that share settings, and the inputs beside them that are none. `buckets`: where it brings its own."""

    records: tuple[Record, ...]
    rows: tuple[Row, ...] = ()
    buckets: BucketsConfig | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A whole data set as found on disk."""

    parts: tuple[Part, ...]
    remarks: tuple[str, ...] = ()  # what a description says that is not followed


def is_media(path: Path) -> bool:
    """Whether the suffix is that of a film or picture."""
    return path.suffix.lower() in MEDIA_SUFFIXES
