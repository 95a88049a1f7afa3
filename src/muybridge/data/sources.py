"""Data sets as people have them on disk, told apart by looking."""

import os
from pathlib import Path

from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.output.manifest import MANIFEST
from muybridge.data.buckets import BucketsConfig
from muybridge.data.folders import FolderConfig, read_folder
from muybridge.data.record import Part, Source, is_media
from muybridge.data.report import Reason, Row
from muybridge.data.tables import TABLE_SUFFIXES, is_table, read_table
from muybridge.data.tars import read_tar
from muybridge.data.toml_datasets import read_toml

TAR_ENDS = (".tar", ".tgz", ".tar.gz", ".tar.zst", ".tar.bz2", ".tar.xz")


def open_source(path: Path, *, buckets: BucketsConfig | None = None) -> Source:
    """The data set at `path`: a folder, a table, a WebDataset tar, or a TOML of musubi-tuner's or diffusion-pipe's.

    A folder is read with its subfolders: those with a `metadata.csv` (.jsonl .json .parquet) by their table, tars by
    their members, other films and pictures with the captions beside them. Every file is a record or has a row.
    buckets: what a description's own settings start from. Raises InvalidInput where there is no data set.
    """
    path = Path(path).expanduser()
    if not path.exists():
        raise invalid(str(path), "no such file or folder", "check the path")
    _refuse_curation(path)
    if path.is_dir():
        return Source(parts=tuple(_folder_parts(path, FolderConfig())))
    if path.suffix.lower() == ".toml":
        return _described(path, buckets or BucketsConfig())
    if path.suffix.lower() in TABLE_SUFFIXES:
        return Source(parts=(read_table(path),))
    if _is_tar(path):
        return Source(parts=(read_tar(path, root=path),))
    if is_media(path):
        return Source(parts=(read_folder(path.parent, [path], FolderConfig()),))
    rule = "is not a folder, .csv, .jsonl, .json, .parquet, .tar or .toml"
    raise invalid(str(path), rule, "give the folder that holds the films")


def _refuse_curation(path: Path) -> None:
    """Raises InvalidInput where a whole curation is given, of which training reads one tier."""
    folder = path if path.is_dir() else path.parent
    tiers = [file.stem for file in sorted((folder / "tiers").glob("*.parquet"))]
    if tiers and (folder / MANIFEST).is_file() and path in (folder, folder / MANIFEST):
        rule = f"is a curation, of which one tier is read: {', '.join(tiers)}"
        raise invalid(str(path), rule, f"use {folder / 'tiers' / tiers[0]}.parquet")


def _described(path: Path, base: BucketsConfig) -> Source:
    described, remarks = read_toml(path, base)
    parts: list[Part] = []
    for entry in described:
        place = entry.place
        if place.is_dir():
            found = _folder_parts(place, entry.folder)
        elif place.is_file():
            found = [read_table(place, num_repeats=entry.folder.num_repeats)]
        else:
            row = Row(item=str(place), reason=Reason.MISSING_FILE, detail=f"named in {path.name}")
            found = [Part(records=(), rows=(row,))]
        parts += [Part(records=part.records, rows=part.rows, buckets=entry.buckets) for part in found]
    return Source(parts=tuple(parts), remarks=tuple(remarks))


def _folder_parts(root: Path, config: FolderConfig) -> list[Part]:
    """The folder's tables, tars, and what lies loose in it."""
    loose: list[Path] = []
    parts: list[Part] = []
    tabled: list[Path] = []
    for name, folders, names in os.walk(root):
        folders.sort()
        folder = Path(name)
        files = sorted(folder / item for item in names)
        if any(parent in tabled for parent in (folder, *folder.parents)):
            continue
        if table := next((file for file in files if is_table(file)), None):
            tabled.append(folder)
            parts.append(_tabled(root, table, config))
            continue
        parts += [read_tar(file, root=root) for file in files if _is_tar(file)]
        loose += [file for file in files if not _is_tar(file)]
    return [read_folder(root, loose, config), *parts] if loose or not parts else parts


def _tabled(root: Path, table: Path, config: FolderConfig) -> Part:
    """A table's records, and rows for the films and pictures around it that it does not list."""
    try:
        folder = table.parent.relative_to(root).as_posix()
        part = read_table(table, num_repeats=config.num_repeats, prefix="" if folder == "." else f"{folder}/")
    except InvalidInput as error:  # one bad table among many is a row, not the end
        row = Row(item=table.relative_to(root).as_posix(), reason=Reason.DAMAGED, detail=str(error))
        part = Part(records=(), rows=(row,))
    listed = {record.media.path.resolve() for record in part.records}
    beside = {path.with_suffix("") for path in listed}  # a listed film's own sidecars belong to it
    rows = []
    for path in sorted(table.parent.rglob("*")):
        place = path.resolve()
        is_known = path == table or place in listed or (place.with_suffix("") in beside and not is_media(path))
        if path.is_file() and not is_known:
            reason = Reason.UNLISTED if is_media(path) or _is_tar(path) else Reason.NOT_MEDIA
            rows.append(Row(item=path.relative_to(root).as_posix(), reason=reason))
    return Part(records=part.records, rows=(*part.rows, *rows))


def _is_tar(path: Path) -> bool:
    return path.name.lower().endswith(TAR_ENDS)
