"""Tables that list films and pictures with their captions: CSV, JSON lines, JSON, Parquet."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import InvalidInput, MissingExtra
from muybridge.data.captions import CAPTION_COLUMNS, captions_of, decoded
from muybridge.data.record import MediaFile, Part, Record
from muybridge.data.report import Reason, Row

try:
    import pyarrow.parquet as parquet
except ImportError:
    parquet = None

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".parquet")
TABLE_STEMS = ("metadata", "manifest", "dataset", "captions")
PATH_COLUMNS = (
    "file_name", "video", "image", "path", "file_path", "filepath", "media_path", "video_path", "image_path",
    "filename", "file",
)  # fmt: skip
ID_COLUMNS = ("id", "video_id", "clip_id", "key")
REPEATS_COLUMN = "repeats"  # times an epoch, as curation writes it to balance concepts
MAX_REPEATS_DIGITS = 5  # a million repeats are a slip of the hand, and would fill the memory
MAX_CELL_CHARACTERS = 2**24  # Python's own 131,072 would break a table at one long caption

Numbered = tuple[str, Mapping[str, Any] | str]  # "row 3", and the row or what is wrong with it


def is_table(path: Path) -> bool:
    """Whether a file in a folder is its table, by its name: `metadata.csv` and the like."""
    return path.suffix.lower() in TABLE_SUFFIXES and path.stem.lower() in TABLE_STEMS


def read_table(path: Path, *, num_repeats: int = 1, prefix: str = "") -> Part:
    """The records of a table; paths in it are relative to its folder. A row that names no file has a report row.

    prefix: what stands before ids and row names, where several tables make up a data set.

    Raises InvalidInput where the whole cannot be read, MissingExtra for Parquet without pyarrow.
    """
    records, rows = [], []
    for number, row in _rows(path):
        name = f"{prefix}{path.name} {number}"
        if isinstance(row, str):
            rows.append(Row(item=name, reason=Reason.BAD_ROW, detail=row))
            continue
        lowered = {key.lower().strip(): value for key, value in row.items() if isinstance(key, str)}
        place = next((lowered[column] for column in PATH_COLUMNS if isinstance(lowered.get(column), str)), "").strip()
        if not place:
            detail = f"none of {', '.join(PATH_COLUMNS)} is filled in"
            rows.append(Row(item=name, reason=Reason.BAD_ROW, detail=detail))
            continue
        given = next((str(lowered[column]) for column in ID_COLUMNS if lowered.get(column) not in (None, "")), place)
        media = MediaFile(path=path.parent / place)
        times = num_repeats * repeats_of(lowered)
        records.append(Record(id=prefix + given, media=media, captions=captions_of(row), num_repeats=times))
    return Part(records=tuple(records), rows=tuple(rows))


def repeats_of(row: Mapping[str, Any]) -> int:
    """How often an epoch shows what a row or a sidecar is of: 1 where it does not say, or says no whole number."""
    said = str(row.get(REPEATS_COLUMN, ""))
    return max(1, int(said)) if said.isdecimal() and len(said) < MAX_REPEATS_DIGITS else 1


def _rows(path: Path) -> Iterator[Numbered]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet_rows(path)
    try:
        text = decoded(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check the name.") from None
    if suffix == ".jsonl":
        return _json_lines(text)
    if suffix == ".json":
        return _json_rows(text, path)
    return _csv_rows(text, delimiter="\t" if suffix == ".tsv" else ",")


def _csv_rows(text: str, *, delimiter: str) -> Iterator[Numbered]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    number = 1
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"row {number}", str(error)
            continue
        yield f"row {number}", row


def _json_lines(text: str) -> Iterator[Numbered]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield f"line {number}", _json_row(line)


def _json_row(line: str) -> Mapping[str, Any] | str:
    try:
        row = json.loads(line)
    except ValueError as error:
        return f"not JSON ({error})"
    return row if isinstance(row, Mapping) else "not a JSON map"


def _json_rows(text: str, path: Path) -> Iterator[Numbered]:
    """A list of maps, or a map from file to caption, captions or map."""
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(f"{path}: not JSON ({error}); mend it, or use JSON lines.") from None
    if isinstance(value, Mapping):
        value = [
            {"file_name": name, **(entry if isinstance(entry, Mapping) else {"caption": entry})}
            for name, entry in value.items()
        ]
    if not isinstance(value, list):
        raise InvalidInput(f"{path}: needs a list of maps, or a map from file to caption; write it so.")
    for number, row in enumerate(value, start=1):
        yield f"entry {number}", row if isinstance(row, Mapping) else "not a JSON map"


def _parquet_rows(path: Path) -> Iterator[Numbered]:
    if parquet is None:
        raise MissingExtra(f"{path}: Parquet needs pyarrow; run pip install 'muybridge[train]'.")
    try:
        file = parquet.ParquetFile(path)
        known = {*PATH_COLUMNS, *ID_COLUMNS, *CAPTION_COLUMNS, REPEATS_COLUMN}
        columns = [name for name in file.schema_arrow.names if name.lower() in known]
        number = 0
        for batch in file.iter_batches(columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row
    except (OSError, ValueError) as error:  # pyarrow's errors derive from these
        raise InvalidInput(f"{path}: not a Parquet file ({error}); write it anew.") from None
