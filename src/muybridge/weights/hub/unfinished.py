"""A file that is still arriving: beside its place, by one process at a time, checked before it takes its name."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from huggingface_hub.utils import WeakFileLock

from muybridge.core.errors import AssetError
from muybridge.core.files import sha256
from muybridge.weights.hub.listing import HubFile

_SHA256_DIGITS = 64


def partial_path(target: Path) -> Path:
    """Where the bytes of a file gather. It stays after an interruption, whatever the interruption was."""
    return target.with_name(f"{target.name}.partial")


def held_bytes(path: Path) -> int:
    """The length of a file, 0 where there is none."""
    return path.stat().st_size if path.is_file() else 0


def gather(target: Path, file: HubFile, *, receive: Callable[[Path], None], lock: Path, repo_id: str) -> None:
    """Have `file` stand at `target`, whole: `receive` adds to the partial file that it is given what that one lacks.

    Another process that fetches the same file is waited for. Raises AssetError, and keeps nothing, where other bytes
    arrived than the hub says.
    """
    for folder in (target.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if held_bytes(target) == file.size_bytes and target.is_file():
            return
        partial = partial_path(target)
        receive(partial)
        _check(partial, file, repo_id)
        os.replace(partial, target)


def _check(partial: Path, file: HubFile, repo_id: str) -> None:
    """Raises AssetError, and removes the file, unless it is what the hub says."""
    size = held_bytes(partial)
    if size == file.size_bytes and file.digest in (None, _digest(partial, file.digest)):
        return
    partial.unlink(missing_ok=True)
    fault = f"{size} of {file.size_bytes} bytes" if size != file.size_bytes else "other bytes than the hub says"
    raise AssetError(f"{repo_id}: {file.path} arrived with {fault}; run the same command again to fetch it anew.")


def _digest(path: Path, like: str | None) -> str | None:
    """A file's digest in the form of `like`; git keeps only small files, and puts their length before them."""
    if like is None or len(like) == _SHA256_DIGITS:
        return sha256(path)
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
