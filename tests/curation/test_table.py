"""Tables of rows keep their types, their order and their bytes."""

from pathlib import Path

import pytest

from muybridge.core.errors import RunFailed
from muybridge.curation.output.table import Table, read_about
from muybridge.curation.stage import Column

TYPES: dict[str, Column] = {
    "id": "text", "n": "int", "score": "float", "ok": "bool", "box": "floats", "words": "texts",
}  # fmt: skip
ROWS = [
    {"id": "b", "n": 2, "score": 0.5, "ok": True, "box": (1.0, 2.0), "words": ("a",)},
    {"id": "a", "n": None, "score": None, "ok": None, "box": None, "words": None},
]


def test_rows_read_back_as_they_were_written_with_their_types(tmp_path: Path):
    path = tmp_path / "table.parquet"
    Table.of_rows(ROWS, TYPES).write(path, about={"version": "3"})
    read = Table.read(path)
    assert read.rows() == [
        {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()} for row in ROWS
    ]
    assert {name: read.column_type(name) for name in read.names} == TYPES and read_about(path) == {"version": "3"}


def test_columns_without_any_value_keep_their_type():
    empty = Table.of_rows([], TYPES)
    assert {name: empty.column_type(name) for name in empty.names} == TYPES and empty.num_rows == 0


def test_equal_tables_give_equal_bytes(tmp_path: Path):
    for name in "ab":
        Table.of_rows(ROWS, TYPES).sorted_by("id").write(tmp_path / name, about={"y": "1", "x": "2"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_added_columns_take_the_place_of_those_of_their_name():
    table = Table.of_rows(ROWS, TYPES).with_columns({"n": [7, 8], "new": ["x", None]}, {"n": "int", "new": "text"})
    assert table.names == ("id", "score", "ok", "box", "words", "n", "new") and table.values("n") == [7, 8]


def test_only_the_asked_columns_are_read(tmp_path: Path):
    Table.of_rows(ROWS, TYPES).write(tmp_path / "t.parquet", about={})
    assert Table.read(tmp_path / "t.parquet", only=("score", "absent")).names == ("score",)


def test_a_table_that_is_absent_or_damaged_is_told(tmp_path: Path):
    with pytest.raises(RunFailed, match="is not there"):
        Table.read(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(RunFailed, match="cannot be read"):
        Table.read(tmp_path / "t.parquet")
