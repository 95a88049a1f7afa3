"""WebDataset tars: members `KEY.mp4`, `KEY.txt`, `KEY.json` that share a key are one sample."""

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from muybridge.data.captions import decoded, parse_captions, problem
from muybridge.data.record import MEDIA_SUFFIXES, MediaFile, Part, Record
from muybridge.data.report import Reason, Row
from muybridge.data.tables import repeats_of

CAPTION_SUFFIXES = (".json", ".txt", ".caption")  # JSON may hold several captions, of which the text is the first


def read_tar(path: Path, *, root: Path) -> Part:
    """The records of a tar, read where they lie; a damaged or compressed one gives a row, after what could be read."""
    shard = path.relative_to(root).as_posix() if path != root else path.name
    members, trouble = _members(path)
    rows = [Row(item=shard, reason=trouble[0], detail=trouble[1])] if trouble else []
    by_key: dict[str, dict[str, tarfile.TarInfo]] = {}
    for member in members:
        folder, _, name = member.name.rpartition("/")
        key, _, suffix = name.partition(".")
        by_key.setdefault(f"{folder}/{key}" if folder else key, {})["." + suffix.lower()] = member
    records = []
    for key, parts in by_key.items():
        found, rest = _sample(path, key, parts, shard)
        records.extend(found)
        rows.extend(rest)
    return Part(records=tuple(records), rows=tuple(rows))


def _members(path: Path) -> tuple[list[tarfile.TarInfo], tuple[Reason, str] | None]:
    """The plain members before any damage, and the damage."""
    size = path.stat().st_size
    members: list[tarfile.TarInfo] = []
    trouble: tuple[Reason, str] | None = None
    try:
        with tarfile.open(path, "r:") as tar:
            members.extend(member for member in tar if member.isfile())
    except tarfile.TarError as error:
        remedy = "compressed tars have no random access, unpack it to .tar" if path.suffix != ".tar" else str(error)
        trouble = (Reason.DAMAGED if size else Reason.EMPTY_FILE), remedy
    whole = [member for member in members if member.offset_data + member.size <= size]
    if len(whole) < len(members):
        trouble = Reason.CUT_SHORT, f"the tar ends inside {members[-1].name}"
    return whole, trouble


def _sample(path: Path, key: str, parts: dict[str, tarfile.TarInfo], shard: str) -> tuple[list[Record], list[Row]]:
    """The record of a key's members, and rows for the members that are no part of one."""
    said = [
        parse_captions(_media(path, parts[suffix]).read(), suffix=suffix)
        for suffix in CAPTION_SUFFIXES
        if suffix in parts
    ]
    captions = next((texts for texts in said if problem(texts) is None), next(iter(said), ()))
    media = [suffix for suffix in parts if PurePosixPath("x" + suffix).suffix in MEDIA_SUFFIXES]
    times = _repeats(_media(path, parts[".json"]).read()) if ".json" in parts else 1
    records = [
        Record(
            id=f"{shard}/{parts[suffix].name}",
            media=_media(path, parts[suffix]),
            captions=captions,
            num_repeats=times,
        )
        for suffix in media
    ]
    rows = []
    for suffix, member in parts.items():
        if suffix in media or (suffix in CAPTION_SUFFIXES and media):
            continue
        is_caption = suffix in CAPTION_SUFFIXES
        reason = Reason.LONE_CAPTION if is_caption else Reason.NOT_MEDIA
        rows.append(Row(item=f"{shard}/{member.name}", reason=reason))
    return records, rows


def _repeats(note: bytes) -> int:
    try:
        value = json.loads(decoded(note))
    except ValueError:
        return 1
    return repeats_of(value) if isinstance(value, Mapping) else 1


def _media(path: Path, member: tarfile.TarInfo) -> MediaFile:
    return MediaFile(path=path, member=member.name, offset=member.offset_data, num_bytes=member.size)
