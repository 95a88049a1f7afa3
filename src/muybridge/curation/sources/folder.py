"""The files below a folder, whatever they are named and linked to."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.curation.sources.item import SourceItem, as_uri, content_of, is_media

RUN = "curation.json"  # a folder with it is the result of a run, and no footage
NO_MEDIA = "is neither film nor picture"
_YES = ("true", "yes", "1", "1.0", "y")  # a column with gaps holds numbers with a point


def folder_sources(root: Path) -> list[SourceItem]:
    """Every file below `root`, through links too but no folder twice. Sidecars (NAME.json beside NAME.mp4) are read."""
    found: list[SourceItem] = []
    seen: set[tuple[int, int]] = set()
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            identity = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.append(_problem(folder, root, f"is a folder that cannot be read ({error.strerror})"))
            continue
        if (identity.st_dev, identity.st_ino) in seen or any(entry.name == RUN for entry in entries):
            continue
        seen.add((identity.st_dev, identity.st_ino))
        folders = [folder / entry.name for entry in entries if _is_folder(entry)]
        waiting += reversed(folders)
        found += [_problem(path, root, "is a folder named like a film") for path in folders if is_media(path.name)]
        found += _files(folder, [entry.name for entry in entries if not _is_folder(entry)], root)
    return found


def file_source(path: Path, *, root: Path) -> SourceItem:
    """One file; its uri is its path from `root` on."""
    try:
        facts = path.stat()
    except OSError as error:
        return _problem(path, root, f"cannot be read ({error.strerror})")
    if not stat.S_ISREG(facts.st_mode):
        return _problem(path, root, "is no regular file")
    if not is_media(path.name):
        return _problem(path, root, NO_MEDIA)
    licence, has_consent = _said_beside(path)
    return SourceItem(
        uri=_uri(path, root),
        place=str(path),
        num_bytes=facts.st_size,
        content=content_of(path),
        licence=licence,
        has_consent=has_consent,
    )


def terms(said: Mapping[str, Any]) -> tuple[str | None, bool]:
    """(licence, whether those shown consent) by the names that tables and sidecars use."""
    lowered = {str(name).strip().lower(): value for name, value in said.items()}
    licence = next((lowered[name] for name in ("licence", "license") if lowered.get(name)), None)
    consent = next((lowered[name] for name in ("consent", "has_consent") if name in lowered), False)
    return None if licence is None else str(licence), str(consent).strip().lower() in _YES


def _files(folder: Path, names: list[str], root: Path) -> list[SourceItem]:
    """The files of one folder without the sidecars of films."""
    media = [name for name in names if is_media(name)]
    sidecars = {f"{stem}.json" for name in media for stem in (name, os.path.splitext(name)[0])}
    return [file_source(folder / name, root=root) for name in names if name not in sidecars]


def _said_beside(path: Path) -> tuple[str | None, bool]:
    """What the sidecar of a film says; nothing where it has none that can be read."""
    for sidecar in (path.with_suffix(".json"), path.with_name(f"{path.name}.json")):
        try:
            said = json.loads(sidecar.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(said, Mapping):
            return terms(said)
    return None, False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _problem(path: Path, root: Path, problem: str) -> SourceItem:
    return SourceItem(uri=_uri(path, root), place=str(path), problem=problem)


def _uri(path: Path, root: Path) -> str:
    return as_uri(path.relative_to(root).as_posix())
