"""The manifest: a row for each clip that was ever cut, kept or not, and with which table it was decided."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from muybridge.curation.clip import Value
from muybridge.curation.decide import Decisions
from muybridge.curation.output.decided import decided
from muybridge.curation.output.table import Table
from muybridge.curation.stage import Column
from muybridge.curation.thresholds import Thresholds

MANIFEST = "manifest.parquet"
FORMAT_VERSION = "1"  # changes when a reader of the columns would have to
VECTORS = ("embedding", "signature")  # stay with the sources' results: they would outweigh the rest
DERIVED: Mapping[str, Column] = {"short_px": "int", "length_s": "float"}  # of facts, for rules to hold on to


def table_of(rows: Iterable[Mapping[str, Value]], columns: Mapping[str, Column]) -> Table:
    """The rows of a run as a table, sorted by id, with the columns of `DERIVED`."""
    table = Table.of_rows(list(rows), columns).sorted_by("id")
    sides = zip(table.values("width"), table.values("height"), strict=True)
    times = zip(table.values("start_s"), table.values("end_s"), strict=True)
    lengths = [float(f"{end - start:.6g}") for start, end in times]
    return table.with_columns({"short_px": [min(pair) for pair in sides], "length_s": lengths}, DERIVED)


def write_manifest(
    folder: Path, table: Table, thresholds: Thresholds, *, about: Mapping[str, str]
) -> tuple[Table, Decisions]:
    """Decide and write; the table as written, without `VECTORS`.

    about: more for the file's metadata, such as the versions of stages.
    """
    whole, decisions = decided(table.without(VECTORS), thresholds)
    said = {**about, "format": FORMAT_VERSION, "thresholds": thresholds.digest}
    whole.write(folder / MANIFEST, about=said)
    return whole, decisions


def read_manifest(folder: Path) -> Table:
    """The manifest of a folder. Raises RunFailed where there is none."""
    return Table.read(folder / MANIFEST)
