"""Weights from a hub: only the files that are needed, checked, continued after an interruption.

`Hub` is the seam. `HuggingFace` is huggingface.co through its own client and cache, shared with other tools;
`FolderHub` is a mirror in a folder, for machines without a network and for tests.
"""

import errno
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Protocol

from huggingface_hub import HfApi, constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils import tqdm as hub_tqdm

from muybridge.core.env import cache_folder, hub_folder, is_offline
from muybridge.core.errors import AssetError
from muybridge.core.files import CHUNK_BYTES, OnBytes, sha256

OnDownload = Callable[[str, int, int], None]  # file, its bytes so far, its size
GIB = 2**30
_SUMS = "SHA256SUMS"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubFile:
    """One file of a repository; sha256 where the hub tells it."""

    path: str
    size_bytes: int
    sha256: str | None = None


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

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """A local copy, continuing an interrupted one. Raises AssetError as `listing`."""
        ...

    def folder(self, repo_id: str) -> Path | None:
        """The local folder with what was fetched last, if anything was."""
        ...


def hub_in_use() -> Hub:
    """The mirror that the environment names, else huggingface.co."""
    mirror = hub_folder()
    return HuggingFace() if mirror is None else FolderHub(mirror, cache_folder() / "hub")


def download(repo_id: str, patterns: Sequence[str] | None, *, hub: Hub, on_progress: OnDownload | None = None) -> Path:
    """The local folder of a repository with every file that fits a pattern; None takes those of a model folder.

    Files that are there already are kept, an interrupted one continues, each new one is compared with the size and the
    SHA-256 that the hub tells. Offline, what is there is taken as it is.
    Raises AssetError, with the remedy, where the hub cannot be used, the disk is full, or a file arrives damaged.
    """
    if is_offline():
        return _fetched_before(repo_id, hub)
    listing = hub.listing(repo_id)
    wanted = [
        file for file in listing.files if any(fnmatch(file.path, each) for each in patterns or _of_a_model(listing))
    ]
    if not wanted:
        raise AssetError(f"{repo_id}: holds none of the files that are needed; check the name of the repository.")
    missing = [file for file in wanted if not _is_there(hub.cached(listing, file), file)]
    _check_room(repo_id, sum(file.size_bytes for file in missing))
    for file in missing:
        _check_arrived(repo_id, file, hub.fetch(listing, file, on_bytes=_counted(file, on_progress)))
    folder = hub.folder(repo_id)
    if folder is None:
        raise AssertionError(f"{repo_id}: fetched {len(wanted)} files, but its folder is not there")
    return folder


def _fetched_before(repo_id: str, hub: Hub) -> Path:
    folder = hub.folder(repo_id)
    if folder is None:
        remedy = "go online once, or fetch it elsewhere and give its folder as the model"
        raise AssetError(f"{repo_id}: was never fetched to this machine, and downloads are switched off; {remedy}.")
    return folder


def _of_a_model(listing: Listing) -> tuple[str, ...]:
    """Patterns for a repository that the catalogue does not know: a diffusers folder without its second copies."""
    if not any(file.path == "model_index.json" for file in listing.files):
        return ("*",)
    return ("*.json", "*/*.safetensors", "*/*.txt", "*/*.model")


def _is_there(path: Path | None, file: HubFile) -> bool:
    return path is not None and path.is_file() and path.stat().st_size == file.size_bytes


def _check_room(repo_id: str, num_bytes: int) -> None:
    folder = cache_folder() if hub_folder() else Path(constants.HF_HUB_CACHE)
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if num_bytes > free:
        rule = f"{num_bytes / GIB:.3g} GiB are to be fetched and the disk of {folder} has {free / GIB:.3g} GiB free"
        raise AssetError(f"{repo_id}: {rule}; free space, or set HF_HOME to a folder on a larger disk.")


def _check_arrived(repo_id: str, file: HubFile, path: Path) -> None:
    """Raises AssetError, and removes the file, unless it is what the hub says."""
    size = path.stat().st_size
    if size == file.size_bytes and file.sha256 in (None, sha256(path)):
        return
    for place in {path.resolve(), path}:  # the hub's cache keeps links to the data
        place.unlink(missing_ok=True)
    fault = f"{size} of {file.size_bytes} bytes" if size != file.size_bytes else "other bytes than the hub says"
    raise AssetError(f"{repo_id}: {file.path} arrived with {fault}; run the same command again to fetch it anew.")


def _counted(file: HubFile, on_progress: OnDownload | None) -> OnBytes:
    done = 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        if on_progress is not None:
            on_progress(file.path, min(done, file.size_bytes), file.size_bytes)

    return on_bytes


class HuggingFace:
    """huggingface.co, or what $HF_ENDPOINT names, through the cache that all its clients share.

    A broken connection continues inside a file. Between runs finished files are kept; the one in progress begins anew
    with huggingface_hub 2, which gives each run a temporary file of its own.
    """

    def listing(self, repo_id: str) -> Listing:
        """As `Hub.listing`."""
        with _explained(repo_id):
            info = HfApi().model_info(repo_id, files_metadata=True)
        files = tuple(
            HubFile(
                path=each.rfilename,
                size_bytes=each.size or 0,
                sha256=None if each.lfs is None else each.lfs.sha256,
            )
            for each in info.siblings or ()
        )
        return Listing(repo_id=repo_id, revision=info.sha or "main", files=files)

    def cached(self, listing: Listing, file: HubFile) -> Path | None:
        """As `Hub.cached`."""
        found = try_to_load_from_cache(listing.repo_id, file.path, revision=listing.revision)
        return Path(found) if isinstance(found, str) else None

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """As `Hub.fetch`."""
        with _explained(listing.repo_id):
            return Path(
                hf_hub_download(listing.repo_id, file.path, revision=listing.revision, tqdm_class=_told_to(on_bytes))
            )

    def folder(self, repo_id: str) -> Path | None:
        """As `Hub.folder`: the snapshot that was fetched last."""
        place = Path(constants.HF_HUB_CACHE) / f"models--{repo_id.replace('/', '--')}" / "snapshots"
        snapshots = [each for each in place.glob("*") if each.is_dir()]
        return max(snapshots, key=lambda each: each.stat().st_mtime_ns, default=None)


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
        names = (str(path.relative_to(place)) for path in sorted(place.rglob("*")) if path.is_file())
        files = tuple(
            HubFile(path=name, size_bytes=(place / name).stat().st_size, sha256=sums.get(name))
            for name in names
            if name != _SUMS
        )
        return Listing(repo_id=repo_id, revision="main", files=files)

    def cached(self, listing: Listing, file: HubFile) -> Path | None:
        """As `Hub.cached`."""
        path = self._cache / listing.repo_id / file.path
        return path if path.is_file() else None

    def fetch(self, listing: Listing, file: HubFile, *, on_bytes: OnBytes) -> Path:
        """As `Hub.fetch`."""
        path = self._cache / listing.repo_id / file.path
        unfinished = path.with_name(f"{path.name}.incomplete")
        with _explained(listing.repo_id):
            path.parent.mkdir(parents=True, exist_ok=True)
            with (self._root / listing.repo_id / file.path).open("rb") as source, unfinished.open("ab") as target:
                source.seek(target.tell())
                on_bytes(target.tell())
                while chunk := self._received(source.read(CHUNK_BYTES)):
                    target.write(chunk)
                    on_bytes(len(chunk))
            return unfinished.replace(path)

    def folder(self, repo_id: str) -> Path | None:
        """As `Hub.folder`."""
        path = self._cache / repo_id
        return path if path.is_dir() else None

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


@contextmanager
def _explained(repo_id: str) -> Iterator[None]:
    """What a hub can answer, as one line with the remedy."""
    page = f"{constants.ENDPOINT}/{repo_id}"
    try:
        yield
    except GatedRepoError:
        remedy = f"ask for access at {page}, then log in with `hf auth login`"
        raise AssetError(f"{repo_id}: is gated; {remedy}.") from None
    except RepositoryNotFoundError:
        remedy = "check the name, and for a private one log in with `hf auth login`"
        raise AssetError(f"{repo_id}: there is no such repository, or it is private; {remedy}.") from None
    except EntryNotFoundError as error:
        raise AssetError(f"{repo_id}: lacks a file ({_first_line(error)}); check {page}.") from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise AssetError(f"{repo_id}: the disk is full; free space and run the same command again.") from None
        remedy = "run the same command again to continue, or fetch it elsewhere and give its folder as the model"
        raise AssetError(f"{repo_id}: cannot be fetched ({_first_line(error)}); {remedy}.") from None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(". ")


def _told_to(on_bytes: OnBytes) -> type[hub_tqdm]:
    """A progress bar that draws nothing and passes on what it hears."""

    class Told(hub_tqdm):
        def __init__(self, *values: Any, **named: Any) -> None:
            super().__init__(*values, **(named | {"disable": True}))
            on_bytes(int(named.get("initial") or 0))

        def update(self, n: float | None = 1) -> bool | None:
            on_bytes(int(n or 0))
            return super().update(n)

    return Told
