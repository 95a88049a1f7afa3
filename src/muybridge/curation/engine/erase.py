"""Taking a source out of a run's folder with everything that was made from it, and keeping it out."""

import html
import json
import mmap
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from muybridge.core.errors import MissingExtra, RunFailed, invalid
from muybridge.core.processes import alone_in
from muybridge.curation.clip import source_id
from muybridge.curation.engine.journal import ERASED, SUMMARY, TIMINGS, WORK, Journal

try:
    import pyarrow.parquet as parquet
except ImportError:
    parquet = None

Forget = Callable[[Sequence[str]], object]  # takes what is kept about clips out of other places
Rebuild = Callable[[Path], object]  # makes tables, shards and reports in the folder anew from its rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What was taken out."""

    uri: str
    num_clips: int
    num_files: int


def erase(folder: Path, uri: str, *, forget: Forget | None = None, rebuild: Rebuild | None = None) -> Erasure:
    """Remove a source's rows, clips, samples and captions, and whatever else bears their ids; keep it out for good.

    `forget` is told the clips, and `rebuild` makes anew what is made from rows. Afterwards every file is read. Repeat
    it after an interruption. Raises InvalidInput where the folder is of no run or never held the source, RunFailed
    where a file still names the source or a clip of it, MissingExtra where there are Parquet files and no pyarrow to
    read them.
    """
    journal, source = Journal(folder), source_id(uri)
    journal.columns()  # is it the folder of a run at all
    with alone_in(journal.folder):
        clips = _clips_of(journal, source, uri=uri)
        _mark(journal, source, clips)
        if forget is not None:
            forget(clips)
        bearing = [path for path in _files(journal.folder) if path.stem in clips]
        for path in (*bearing, journal.record_path(source)):
            path.unlink(missing_ok=True)
        _forget_times(journal.folder / TIMINGS, source)
        (journal.folder / SUMMARY).unlink(missing_ok=True)  # counted the source
        if rebuild is not None:
            rebuild(journal.folder)
        others = [record.uri for record in journal.records()]
        if left := naming(journal.folder, [source, *clips], uri=uri, others=others):
            raise RunFailed(f"{left[0]}: still names {uri} ({len(left)} files do); remove it, and repeat this.")
        _mark(journal, source, [])
    return Erasure(uri=uri, num_clips=len(clips), num_files=len(bearing) + 1)


def naming(folder: Path, ids: Sequence[str], *, uri: str, others: Sequence[str] = ()) -> list[Path]:
    """The files below `folder` that name a source or clip, but for the list of those erased. Raises MissingExtra.

    `others` are uris that may stay, though this one may be a part of them.
    """
    edge = rb"[\w./%-]"  # a uri may be the end of another
    whole_uri = rb"(?<!%b)(?:%b)(?!%b)" % (edge, _any_of([uri]), edge)
    longer = [other for other in others if other != uri and re.search(whole_uri, other.encode())]
    named = b"|".join([whole_uri, *map(str.encode, ids)])
    pattern = re.compile(rb"%b|(%b)" % (_any_of(longer), named) if longer else rb"(%b)" % named)
    found = [path for path in _files(folder) if path.name != ERASED]
    return [path for path in found if path.stem in ids or any(_is_named(pattern, part) for part in _contents(path))]


def _any_of(uris: Sequence[str]) -> bytes:
    """A pattern of uris as text, JSON and HTML hold them."""
    forms = {form.encode() for uri in uris for form in (uri, json.dumps(uri)[1:-1], html.escape(uri))}
    return b"|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))


def _is_named(pattern: re.Pattern[bytes], content: bytes | mmap.mmap) -> bool:
    return any(match[1] is not None for match in pattern.finditer(content))


def _clips_of(journal: Journal, source: str, *, uri: str) -> list[str]:
    """The clips of a source that is there, or whose erasure was begun."""
    record = journal.read(source)
    if record is not None:
        return [str(row["id"]) for row in record.rows]
    if source not in journal.erased():
        raise invalid(uri, f"is no source of {journal.folder}", "give its uri as the manifest has it")
    return list(journal.erased()[source])


def _mark(journal: Journal, source: str, clips: Sequence[str]) -> None:
    """Name the source among those erased, with clips that may still be there."""
    journal.write_json(journal.folder / ERASED, {**journal.erased(), source: list(clips)})


def _forget_times(path: Path, source: str) -> None:
    if path.exists():
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if source not in line))


def _files(folder: Path) -> Iterator[Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return (path for path in found if WORK not in path.relative_to(folder).parts)


def _contents(path: Path) -> Iterator[bytes | mmap.mmap]:
    """A file's bytes; of Parquet, which is compressed, its text."""
    if path.suffix == ".parquet":
        if parquet is None:
            raise MissingExtra(f"{path}: Parquet needs pyarrow; run pip install 'muybridge[curate]'.")
        for batch in parquet.ParquetFile(path).iter_batches():
            yield json.dumps(batch.to_pylist(), default=str, ensure_ascii=False).encode("utf-8", "surrogateescape")
    elif path.stat().st_size:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
