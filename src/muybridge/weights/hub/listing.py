"""What a hub holds, and what one must be able to do."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from muybridge.core.errors import AssetError
from muybridge.core.files import OnBytes

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """One file of a repository. digest: its SHA-256, or git's SHA-1 of a small one; None where the hub tells neither.

    Raises AssetError on a path that leads out of the repository, and on what is no digest: both become file names.
    """

    path: str
    size_bytes: int
    digest: str | None = None

    def __post_init__(self) -> None:
        parts = PurePosixPath(self.path).parts
        if not parts or ".." in parts or self.path[0] == "/" or "\\" in self.path or "\0" in self.path:
            raise AssetError(f"{self.path!r}: no path of a file inside a repository; do not trust this hub.")
        if self.digest is not None and not _DIGEST.fullmatch(self.digest):
            raise AssetError(f"{self.path}: its digest {self.digest[:80]!r} is none; do not trust this hub.")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A repository at one moment."""

    repo_id: str
    revision: str
    files: tuple[HubFile, ...]


class Hub(Protocol):
    """Where repositories are."""

    def listing(self, repo_id: str) -> Listing:
        """What a repository holds now. Raises AssetError, with the remedy, where it cannot be had."""
        ...

    def cached(self, listing: Listing, file: HubFile) -> Path | None:
        """The local copy of a file, if there is one."""
        ...

    def held_bytes(self, listing: Listing, file: HubFile) -> int:
        """How much of a file an interrupted fetch has left."""
        ...

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """A local copy, checked, continuing an interrupted one. Raises AssetError as `listing`, and on wrong bytes."""
        ...

    def folder(self, repo_id: str) -> Path | None:
        """The local folder with what was fetched last, if anything was."""
        ...
