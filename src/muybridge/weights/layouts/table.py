"""A layout as a table of rows, and the one walk through it in either direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import combinations
from typing import Literal, NamedTuple

from muybridge.core.errors import WeightsError
from muybridge.weights.accounting import nearest
from muybridge.weights.names import Layout
from muybridge.weights.stored import StoredTensor, joined, rows, swapped

Parts = Literal["whole", "qkv", "qkv_mlp", "swapped", "conv"]
Entries = Mapping[str, StoredTensor]

_ANY = "*"
_LETTERS = ("{i}", "{j}")
_MAX_NUMBERS = 4  # in one name; more is no layout of ours
_FIELDS = ("weight", "bias")


@dataclass(frozen=True, slots=True)
class Row:
    """One module under its official name and under theirs; `{i}`, and `{j}` inside it, stand for indices.

    A name that ends in `.*` means everything under it, and one that ends in `!` a parameter rather than a module.
    parts: how the official rows are shared among their names. whole: alike; qkv: three equal parts; qkv_mlp: three of
    `hidden_size` rows and the rest; swapped: halves exchanged; conv: a matrix that they keep as a 1x1x1 convolution.
    weight: what they call the module's `weight`. joins: official modules that stand below this one in theirs, all of
    one shape.
    """

    official: str
    theirs: tuple[str, ...]
    parts: Parts = "whole"
    weight: str = "weight"
    joins: tuple[str, ...] = ()

    def officials(self) -> tuple[str, ...]:
        """Every official name in the row."""
        return (self.official, *self.joins)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Table:
    """One layout of one network. class_name: what its `config.json` says where two layouts have the same names."""

    layout: Layout
    rows: tuple[Row, ...]
    class_name: str = ""

    def knows(self, key: str) -> bool:
        """Whether the layout has this key."""
        return _find(_theirs(self), key) is not None


class _Place(NamedTuple):
    """Where a key stands: its row, the indices in it, and what follows the module's name in official words."""

    row: Row
    indices: tuple[str, ...]
    field: str

    def officials(self) -> tuple[str, ...]:
        return tuple(_named(name, self.indices, self.field) for name in self.row.officials())

    def theirs(self) -> tuple[str, ...]:
        field = self.row.weight if self.field == "weight" else self.field
        return tuple(_named(name, self.indices, field) for name in self.row.theirs)


def same(*official: str) -> tuple[Row, ...]:
    """Rows of modules that have one name in both layouts."""
    return tuple(Row(name, (name,)) for name in official)


def renamed(pairs: Mapping[str, str], *, official: str = "", theirs: str = "") -> tuple[Row, ...]:
    """Rows of modules that only change their name; the prefixes are put before each."""
    return tuple(Row(official + ours, (theirs + name,)) for ours, name in pairs.items())


def identity(table: Table) -> Table:
    """The official layout of the network that `table` describes."""
    return Table(layout="official", rows=same(*(name for row in table.rows for name in row.officials())))


def name_in(table: Table, official_key: str) -> tuple[str, ...]:
    """The keys under which a layout keeps the parameter with this official key, e.g. three for a fused qkv.

    Empty where the layout has no place for it.
    """
    place = _find(_official(table), official_key)
    return place.theirs() if place else ()


def from_official(entries: Entries, table: Table, *, hidden_size: int) -> dict[str, StoredTensor]:
    """Official entries under a layout's names, fused projections split by rows; nothing is read yet.

    Raises WeightsError on a key that the table does not know.
    """
    index = _official(table)
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        place = _find(index, key)
        if place is None:
            raise WeightsError(f"{entry.file}: {key!r} has no place in the layout {table.layout}; choose another.")
        names = place.theirs()
        if not place.row.joins:
            result.update(zip(names, _parted(entry, place, hidden_size), strict=True))
        elif names[0] not in result:
            result[names[0]] = joined(_every(entries, place.officials(), whole=names[0]), names[0])
    return result


def to_official(entries: Entries, table: Table) -> dict[str, StoredTensor]:
    """A layout's entries under the official names, split projections joined when read.

    Raises WeightsError on a key that the table does not know, or where a part of a fused projection is missing.
    """
    index = _theirs(table)
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        place = _find(index, key)
        if place is None:
            near = nearest(key, _similar(key, table))
            raise WeightsError(
                f"{entry.file}: {key!r} is no key of the layout {table.layout}; {near}use a complete checkpoint."
            )
        officials = place.officials()
        if place.row.joins:
            result.update(zip(officials, _shares(entry, len(officials)), strict=True))
        elif officials[0] not in result:
            result[officials[0]] = _united(entries, place, officials[0])
    return result


class _Index(NamedTuple):
    """Rows by the module, the parameter or the beginning that they name, and what `weight` is called on this side."""

    modules: Mapping[str, Row]
    parameters: Mapping[str, Row]
    beginnings: Mapping[str, Row]
    is_theirs: bool


@lru_cache(maxsize=256)
def _official(table: Table) -> _Index:
    return _indexed([(name, row) for row in table.rows for name in row.officials()], is_theirs=False)


@lru_cache(maxsize=256)
def _theirs(table: Table) -> _Index:
    return _indexed([(name, row) for row in table.rows for name in row.theirs], is_theirs=True)


def _indexed(named: list[tuple[str, Row]], *, is_theirs: bool) -> _Index:
    parameters = {name[:-1]: row for name, row in named if name.endswith("!")}
    beginnings = {name[:-1]: row for name, row in named if name.endswith(_ANY)}
    modules = {name: row for name, row in named if name[-1] not in ("!", _ANY)}
    return _Index(modules, parameters, beginnings, is_theirs)


def _find(index: _Index, key: str) -> _Place | None:
    module, _, field = key.rpartition(".")
    for pattern, numbers in _patterns(module):
        row = index.modules.get(pattern)
        if row is not None:
            weight = row.weight if index.is_theirs else "weight"
            official = "weight" if field == weight else field if field != "weight" else ""
            return _Place(row, numbers, official) if official in _FIELDS else None
    for pattern, numbers in _patterns(key):
        if pattern in index.parameters:
            return _Place(index.parameters[pattern], numbers, "")
    for beginning, row in index.beginnings.items():
        if key.startswith(beginning):
            return _Place(row, (), key[len(beginning) :])
    return None


@lru_cache(maxsize=16384)
def _patterns(name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The name, and the name with one or two of the numbers in it made `{i}` and `{j}`, beside those numbers."""
    parts = name.split(".")
    places = [place for place, part in enumerate(parts) if part.isdecimal()][:_MAX_NUMBERS]
    found = []
    for chosen in (group for size in range(3) for group in combinations(places, size)):
        pattern = list(parts)
        for place, letter in zip(chosen, _LETTERS, strict=False):
            pattern[place] = letter
        found.append((".".join(pattern), tuple(parts[place] for place in chosen)))
    return tuple(found)


def _named(pattern: str, indices: Sequence[str], field: str) -> str:
    name = pattern
    for letter, number in zip(_LETTERS, indices, strict=False):
        name = name.replace(letter, number)
    if name.endswith("!"):
        return name[:-1]
    return name[:-1] + field if name.endswith(_ANY) else f"{name}.{field}"


def _similar(key: str, table: Table) -> list[str]:
    """Keys of the layout with the numbers of `key`, to find the nearest among."""
    numbers = [part for part in key.split(".") if part.isdecimal()] + ["0", "0"]
    return [_named(name, numbers, field) for row in table.rows for name in row.theirs for field in (row.weight, "bias")]


def _parted(entry: StoredTensor, place: _Place, hidden_size: int) -> list[StoredTensor]:
    """Their parts of an official entry."""
    match place.row.parts:
        case "whole":
            return [entry]
        case "swapped":
            return [swapped(entry)]
        case "conv":
            return [_reshaped(entry, (*entry.shape, 1, 1, 1)) if place.field == "weight" else entry]
        case "qkv":
            return _shares(entry, 3)
        case "qkv_mlp":
            ends = [hidden_size, 2 * hidden_size, 3 * hidden_size, entry.shape[0]]
            return [rows(entry, start, stop) for start, stop in zip([0, *ends], ends, strict=False)]


def _shares(entry: StoredTensor, number: int) -> list[StoredTensor]:
    """So many equal parts, one below the other; what does not divide goes to the last, to be refused by its shape."""
    if not entry.shape:
        return [entry] * number
    share = entry.shape[0] // number
    ends = [*(share * part for part in range(1, number)), entry.shape[0]]
    return [rows(entry, start, stop) for start, stop in zip([0, *ends], ends, strict=False)]


def _united(entries: Entries, place: _Place, official: str) -> StoredTensor:
    """The official entry from their parts."""
    parts = _every(entries, place.theirs(), whole=official)
    if place.row.parts == "conv" and len(parts[0].shape) == 5 and parts[0].shape[2:] == (1, 1, 1):
        return _reshaped(parts[0], parts[0].shape[:2])
    if place.row.parts == "swapped":
        return swapped(parts[0])
    return joined(parts, official) if len(parts) > 1 else parts[0]


def _every(entries: Entries, names: Sequence[str], *, whole: str) -> list[StoredTensor]:
    """The entries of these names, of which at least one is there; raises WeightsError where another is not."""
    missing = next((name for name in names if name not in entries), None)
    if missing is not None:
        file = next(entries[name].file for name in names if name in entries)
        raise WeightsError(f"{file}: lacks {missing!r}, a part of {whole!r}; use a complete checkpoint.")
    found = [entries[name] for name in names]
    for name, entry in zip(names, found, strict=True):
        if len(names) > 1 and (not entry.shape or entry.shape[1:] != found[0].shape[1:]):
            raise WeightsError(
                f"{entry.file}: {name!r} has shape {entry.shape}, unlike the other parts of {whole!r}; "
                "use a complete checkpoint."
            )
    return found


def _reshaped(stored: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
    return replace(stored, shape=shape, read=lambda: stored.read().reshape(shape), packed=None)
