"""Tables and lists that name sources, with licence and consent where they say so."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import MissingExtra, invalid
from muybridge.curation.sources.folder import NO_MEDIA, terms
from muybridge.curation.sources.item import SourceItem, as_uri, content_of, is_media
from muybridge.curation.sources.remote import is_address, lasting

try:
    import pyarrow.parquet as parquet
except ImportError:
    parquet = None

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
PLACE_COLUMNS = ("path", "url", "uri", "file_name", "file", "filename", "video", "image", "source")

Numbered = tuple[str, Mapping[str, Any] | str]  # "row 3", and the row or what is wrong with it


def table_sources(path: Path) -> list[SourceItem]:
    """The sources that a table lists; paths are relative to its folder. A row that names none is an item all the same.

    Raises InvalidInput where the table cannot be read, MissingExtra for Parquet without pyarrow.
    """
    return _listed(path, _rows(path))


def list_sources(path: Path) -> list[SourceItem]:
    """The addresses or paths in a text, one a line; empty lines and those after # are passed over."""
    lines = enumerate(_text(path).splitlines(), start=1)
    rows = ((f"line {number}", {"path": line.strip()}) for number, line in lines if line.strip()[:1] not in ("", "#"))
    return _listed(path, rows)


def _listed(path: Path, rows: Iterable[Numbered]) -> list[SourceItem]:
    found: dict[str, SourceItem] = {}
    for number, row in rows:
        name = f"{as_uri(path.name)} {number}"
        place = "" if isinstance(row, str) else _place(row)
        if isinstance(row, str) or not place:
            problem = row if isinstance(row, str) else f"none of {', '.join(PLACE_COLUMNS)} is filled in"
            item = SourceItem(uri=name, place=str(path), problem=problem)
        else:
            item = _item(place, row, folder=path.parent)
        if item.uri in found:
            item = SourceItem(uri=name, place=str(path), problem=f"lists {item.uri} again")
        found[item.uri] = item
    return list(found.values())


def _item(place: str, row: Mapping[str, Any], *, folder: Path) -> SourceItem:
    licence, has_consent = terms(row)
    said = {"licence": licence, "has_consent": has_consent}
    if is_address(place):
        return SourceItem(uri=as_uri(lasting(place)), place=place, is_remote=True, **said)
    file = folder / Path(place).expanduser()
    known = {"num_bytes": file.stat().st_size, "content": content_of(file)} if file.is_file() else {}
    problem = None if is_media(place) else NO_MEDIA
    uri = as_uri(Path(place).as_posix())
    return SourceItem(uri=uri, place=str(file), problem=problem, **known, **said)


def _place(row: Mapping[str, Any]) -> str:
    lowered = {str(name).strip().lower(): value for name, value in row.items()}
    return next((lowered[name].strip() for name in PLACE_COLUMNS if isinstance(lowered.get(name), str)), "")


def _rows(path: Path) -> Iterator[Numbered]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet_rows(path)
    return _json_rows(_text(path)) if suffix == ".jsonl" else _csv_rows(_text(path), "\t" if suffix == ".tsv" else ",")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", "surrogateescape")  # paths may be of any bytes
    except OSError as error:
        raise invalid(str(path), f"cannot be read ({error.strerror})", "check its name and rights") from None


def _csv_rows(text: str, delimiter: str) -> Iterator[Numbered]:
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    while True:
        number += 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            yield f"row {number}", f"cannot be read ({error})"
            continue
        if row is None:
            return
        yield f"row {number}", row


def _json_rows(text: str) -> Iterator[Numbered]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            row = f"is not JSON ({error})"
        yield f"line {number}", row if isinstance(row, Mapping | str) else "is not a JSON map"


def _parquet_rows(path: Path) -> Iterator[Numbered]:
    if parquet is None:
        raise MissingExtra(f"{path}: Parquet needs pyarrow; run pip install 'muybridge[curate]'.")
    try:
        file = parquet.ParquetFile(path)
        wanted = {*PLACE_COLUMNS, "licence", "license", "consent", "has_consent"}
        columns = [name for name in file.schema_arrow.names if name.strip().lower() in wanted]
        rows = file.read(columns=columns).to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's errors derive from these
        raise invalid(str(path), f"is not a Parquet file ({error})", "write it anew") from None
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row
