"""A hub that is a folder: a mirror for machines without a network."""

from pathlib import Path

from muybridge.core.errors import AssetError
from muybridge.core.files import CHUNK_BYTES, OnBytes
from muybridge.weights.hub import unfinished
from muybridge.weights.hub.answers import explained
from muybridge.weights.hub.listing import HubFile, Listing

_SUMS = "SHA256SUMS"


class FolderHub:
    """A mirror: `root`/OWNER/NAME holds a repository's files, with a SHA256SUMS if they are to be checked."""

    def __init__(self, root: Path, cache: Path, *, breaks_after_bytes: int | None = None) -> None:
        """`cache`: where copies go. `breaks_after_bytes`: for tests, the connection breaks once after so many."""
        self._root, self._cache, self._left = root, cache, breaks_after_bytes

    def listing(self, repo_id: str) -> Listing:
        """As `Hub.listing`."""
        place = self._root / repo_id
        if not place.is_dir():
            fault = "has no such repository" if self._root.is_dir() else "is not a folder that is there"
            raise AssetError(f"{repo_id}: the mirror {self._root} {fault}; mend or unset MUYBRIDGE_HUB.")
        sums = _sums(place / _SUMS)
        names = (path.relative_to(place).as_posix() for path in sorted(place.rglob("*")) if path.is_file())
        files = tuple(
            HubFile(path=name, size_bytes=(place / name).stat().st_size, digest=sums.get(name))
            for name in names
            if name != _SUMS
        )
        return Listing(repo_id=repo_id, revision="main", files=files)

    def cached(self, listing: Listing, file: HubFile) -> Path | None:
        """As `Hub.cached`."""
        path = self._cache / listing.repo_id / file.path
        return path if path.is_file() else None

    def held_bytes(self, listing: Listing, file: HubFile) -> int:
        """As `Hub.held_bytes`."""
        return unfinished.held_bytes(unfinished.partial_path(self._cache / listing.repo_id / file.path))

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """As `Hub.fetch`."""
        path, source = self._cache / listing.repo_id / file.path, self._root / listing.repo_id / file.path
        with explained(listing.repo_id):
            unfinished.gather(
                path,
                file,
                receive=lambda partial: self._copy(source, partial, on_bytes),
                lock=self._cache / ".locks" / f"{listing.repo_id.replace('/', '--')}.lock",
                repo_id=listing.repo_id,
            )
        return path

    def folder(self, repo_id: str) -> Path | None:
        """As `Hub.folder`."""
        path = self._cache / repo_id
        return path if path.is_dir() else None

    def _copy(self, source: Path, partial: Path, on_bytes: OnBytes) -> None:
        """Append to `partial` what it lacks."""
        with source.open("rb") as whole, partial.open("ab") as target:
            whole.seek(target.tell())
            on_bytes(target.tell())
            while chunk := self._received(whole.read(CHUNK_BYTES)):
                target.write(chunk)
                on_bytes(len(chunk))

    def _received(self, chunk: bytes) -> bytes:
        if self._left is None:
            return chunk
        if self._left == 0:
            self._left = None
            raise ConnectionError("the connection broke")
        chunk = chunk[: self._left]
        self._left -= len(chunk)
        return chunk


def _sums(file: Path) -> dict[str, str]:
    """Path to digest, of a file such as `sha256sum` writes."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    return {name.lstrip("*"): digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}
