"""Rows of clips as typed columns, in memory and as Parquet."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int32

from muybridge.core.errors import MissingExtra, RunFailed
from muybridge.core.files import atomic_path
from muybridge.curation.clip import Value
from muybridge.curation.stage import Column

try:
    import pyarrow
    import pyarrow.compute as compute
    import pyarrow.parquet as parquet
except ImportError:
    pyarrow = compute = parquet = None

_pyarrow: Any = pyarrow  # loosely typed, and None where it is not installed: check_pyarrow() comes first
_compute: Any = compute
_parquet: Any = parquet

ROWS_IN_A_GROUP = 2**16
_META = b"muybridge"
_TYPES: Mapping[Column, str] = MappingProxyType({"float": "float64", "int": "int64", "bool": "bool", "text": "string"})
_LISTS: Mapping[Column, str] = MappingProxyType({"floats": "float64", "texts": "string"})


def check_pyarrow() -> None:
    """Raises MissingExtra where tables cannot be read or written."""
    if pyarrow is None:
        raise MissingExtra("manifests: need pyarrow; run pip install 'muybridge[curate]'.")


class Table:
    """Clips by columns, as `decide` and the report read them. A value that is missing is NaN, -1 or None."""

    def __init__(self, arrow: Any) -> None:
        """arrow: a pyarrow.Table."""
        self.arrow = arrow

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Value]], types: Mapping[str, Column]) -> "Table":
        """Columns of `types`, in that order; what a row lacks is missing. Raises MissingExtra without pyarrow."""
        check_pyarrow()
        arrays = [_pyarrow.array([_plain(row.get(name)) for row in rows], _arrow_type(types[name])) for name in types]
        return cls(_pyarrow.table(dict(zip(types, arrays, strict=True))))

    @classmethod
    def read(cls, path: Path, *, only: Sequence[str] | None = None) -> "Table":
        """The columns of a Parquet file, or those of `only` that it has.

        Raises RunFailed where it is not there or damaged, MissingExtra without pyarrow.
        """
        check_pyarrow()
        try:
            file = _parquet.ParquetFile(path)
            names = [name for name in file.schema_arrow.names if only is None or name in only]
            return cls(file.read(columns=names))
        except FileNotFoundError:
            raise RunFailed(f"{path}: is not there; muybridge curate FOOTAGE --out {path.parent} makes it.") from None
        except (OSError, ValueError) as error:  # pyarrow's errors derive from these
            raise RunFailed(f"{path}: cannot be read ({error}); curate anew.") from None

    def write(self, path: Path, *, about: Mapping[str, str]) -> None:
        """A Parquet file; equal tables give equal bytes. about: what its metadata say, under `muybridge.NAME`."""
        metadata = {_META + b"." + name.encode(): text.encode() for name, text in sorted(about.items())}
        types = [(name, _arrow_type(self.column_type(name))) for name in self.names]  # files name lists' insides apart
        arrow = self.arrow.cast(_pyarrow.schema(types)).replace_schema_metadata(metadata)
        repeating = [field.name for field in arrow.schema if not _pyarrow.types.is_floating(field.type)]
        with atomic_path(path) as temporary:
            _parquet.write_table(
                arrow, temporary, row_group_size=ROWS_IN_A_GROUP, compression="snappy", use_dictionary=repeating
            )

    @property
    def num_rows(self) -> int:
        """How many clips."""
        return self.arrow.num_rows

    @property
    def names(self) -> tuple[str, ...]:
        """The columns in their order."""
        return tuple(self.arrow.column_names)

    def column_type(self, name: str) -> Column:
        """What a column holds, in the words of stages."""
        kind = self.arrow.schema.field(name).type
        types = _TYPES if not _pyarrow.types.is_list(kind) else _LISTS
        inner = kind if types is _TYPES else kind.value_type
        alias = {"double": "float64"}.get(str(inner), str(inner))
        return next(column for column, word in types.items() if word == alias)

    def numbers(self, name: str) -> Float64[np.ndarray, "rows"]:
        """As `decide.Columns` says."""
        column = _compute.cast(self.arrow.column(name), _pyarrow.float64())
        return _compute.fill_null(column, float("nan")).to_numpy()

    def words(self, name: str) -> tuple[Int32[np.ndarray, "rows"], tuple[str, ...]]:
        """As `decide.Columns` says."""
        coded = _compute.dictionary_encode(self.arrow.column(name)).combine_chunks()
        coded = coded if isinstance(coded, _pyarrow.DictionaryArray) else coded.chunk(0)
        indices = _compute.fill_null(_compute.cast(coded.indices, _pyarrow.int32()), -1).to_numpy()
        return indices, tuple(coded.dictionary.to_pylist())

    def present(self, name: str) -> Bool[np.ndarray, "rows"]:
        """As `decide.Columns` says. A NaN is no value."""
        return _compute.is_valid(self.arrow.column(name)).to_numpy() & ~self._is_nan(name)

    def vectors(self, name: str) -> Float64[np.ndarray, "rows d"]:
        """A column of lists of equal length as a matrix, of the rows that have one."""
        lists = _compute.drop_null(self.arrow.column(name)).combine_chunks()
        return lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), -1)

    def values(self, name: str) -> list[Any]:
        """A column as Python values, None where there is none."""
        return self.arrow.column(name).to_pylist()

    def rows(self, indices: Sequence[int] | None = None, *, only: Iterable[str] | None = None) -> list[dict[str, Any]]:
        """Rows as maps from column to value: all, or those of `indices`, perhaps with few columns."""
        arrow = self.arrow if only is None else self.arrow.select([name for name in self.names if name in set(only)])
        return (arrow if indices is None else Table(arrow).taken(indices).arrow).to_pylist()

    def taken(self, indices: Sequence[int]) -> "Table":
        """Some rows, in the order of `indices`."""
        return Table(self.arrow.take(_pyarrow.array(indices, _pyarrow.int64())))

    def sorted_by(self, name: str) -> "Table":
        """The rows in the order of a column."""
        return Table(self.arrow.sort_by(name))

    def with_columns(self, columns: Mapping[str, Sequence[Any] | np.ndarray], types: Mapping[str, Column]) -> "Table":
        """The table with columns added at its end, or put in the place of those of the same name."""
        arrow = self.without(columns).arrow
        for name, values in columns.items():
            array = values if isinstance(values, _pyarrow.Array) else _array(values, _arrow_type(types[name]))
            arrow = arrow.append_column(_pyarrow.field(name, _arrow_type(types[name])), array)
        return Table(arrow)

    def ending_with(self, names: Iterable[str]) -> "Table":
        """The table with columns, as far as it has them, moved to its end in that order."""
        last = [name for name in names if name in self.names]
        return Table(self.arrow.select([*(name for name in self.names if name not in last), *last]))

    def without(self, names: Iterable[str]) -> "Table":
        """The table without columns, of which some may not be there."""
        return Table(self.arrow.drop_columns([name for name in names if name in self.names]))

    def said(self, name: str) -> Any:
        """A column as text for people: numbers with up to 6 digits. A pyarrow array, quick for a million rows."""
        column = self.arrow.column(name)
        if _pyarrow.types.is_string(column.type):
            return column.combine_chunks()
        return _compute.cast(column, _pyarrow.string()).combine_chunks()

    def _is_nan(self, name: str) -> Bool[np.ndarray, "rows"]:
        column = self.arrow.column(name)
        if not _pyarrow.types.is_floating(column.type):
            return np.zeros(self.num_rows, bool)
        return _compute.fill_null(_compute.is_nan(column), False).to_numpy()


def read_about(path: Path) -> dict[str, str]:
    """What the metadata of a file say; nothing where it is not there. Raises MissingExtra without pyarrow."""
    check_pyarrow()
    metadata = (_parquet.read_schema(path).metadata or {}) if path.is_file() else {}
    mark = _META + b"."
    return {key.removeprefix(mark).decode(): text.decode() for key, text in metadata.items() if key.startswith(mark)}


def chosen_texts(codes: Int32[np.ndarray, "rows"], words: Sequence[str]) -> Any:
    """A pyarrow array of texts from numbers into a few words; -1 is missing."""
    places = _pyarrow.array(codes, _pyarrow.int32(), mask=codes < 0)
    return _compute.take(_pyarrow.array(list(words) or [""], _pyarrow.string()), places)


def chosen_lists(codes: Int32[np.ndarray, "rows"], lists: Sequence[Sequence[str]]) -> Any:
    """A pyarrow array of lists of texts from numbers into a few lists."""
    kept = _pyarrow.array([list(words) for words in lists] or [[]], _pyarrow.list_(_pyarrow.string()))
    return _compute.take(kept, _pyarrow.array(codes, _pyarrow.int32()))


def where(is_so: Bool[np.ndarray, "rows"], texts: Any, otherwise: Any) -> Any:
    """Texts where something holds, others elsewhere; None for missing."""
    other = _pyarrow.scalar(None, _pyarrow.string()) if otherwise is None else otherwise
    return _compute.if_else(_pyarrow.array(is_so), texts, other)


def _array(values: Any, kind: Any) -> Any:
    return _pyarrow.array(values if isinstance(values, np.ndarray) else [_plain(value) for value in values], kind)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _arrow_type(column: Column) -> Any:
    if column in _TYPES:
        return _pyarrow.type_for_alias(_TYPES[column])
    return _pyarrow.list_(_pyarrow.type_for_alias(_LISTS[column]))
