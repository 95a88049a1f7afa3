"""Which module of the network a LoRA means, however it spells the name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from muybridge.weights.layouts import Row
from muybridge.weights.registry import NETWORKS

MAX_BLOCKS = 64  # of a list of blocks; the deepest released network has 54
_FUSED = {"qkv": 3, "qkv_mlp": 4}
_PLAIN_ENDS = (".*", "!")  # rows that are no modules


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A module by its official name, as `layout` spells it; `part` of a fused one; halves swapped or not."""

    official: str
    layout: str
    part: int | None = None
    num_parts: int = 1
    is_swapped: bool = False


@cache
def places() -> dict[str, Place]:
    """Every spelling of every module in any layout: dots between the words."""
    found: dict[str, Place] = {}
    fused: dict[str, int] = {}
    for layout, row in _rows():
        for indices in product(range(MAX_BLOCKS), repeat=row.official.count("{")):
            official = _named(row.official, indices)
            num_parts = _FUSED.get(row.parts, 1) if len(row.theirs) > 1 else 1
            for part, theirs in enumerate(row.theirs):
                place = Place(
                    official=official,
                    layout=layout,
                    part=part if num_parts > 1 else None,
                    num_parts=num_parts,
                    is_swapped=row.parts == "swapped",
                )
                found.setdefault(_named(theirs, indices), place)
            if num_parts > 1:
                fused[official] = num_parts
    return found | dict(_numbered(found, fused))


@cache
def mangled_places() -> dict[str, Place]:
    """The same with underscores for the dots, as kohya and LyCORIS write them: from the names, never back from it."""
    return {name.replace(".", "_"): place for name, place in places().items()}


@cache
def parted_names() -> dict[str, tuple[str, ...]]:
    """The names in diffusers of each module, by the official one: several for a fused projection."""
    network = next(network for network in NETWORKS if network.kind == "transformer")
    table = network.table("diffusers")
    rows = table.rows if table is not None else ()
    return {
        _named(row.official, indices): tuple(_named(name, indices) for name in row.theirs)
        for row in rows
        for indices in product(range(MAX_BLOCKS), repeat=row.official.count("{"))
    }


def _rows() -> Iterator[tuple[str, Row]]:
    for network in NETWORKS:
        if network.kind == "transformer":
            for table in network.tables:
                yield from ((table.layout, row) for row in table.rows if not row.official.endswith(_PLAIN_ENDS))


def _named(pattern: str, indices: Iterable[int]) -> str:
    for letter, index in zip(("{i}", "{j}"), indices, strict=False):
        pattern = pattern.replace(letter, str(index))
    return pattern


def _numbered(found: dict[str, Place], fused: dict[str, int]) -> Iterator[tuple[str, Place]]:
    """OneTrainer numbers the parts of a fused projection behind its name."""
    for name, place in found.items():
        if place.part is None and (num_parts := fused.get(place.official)):
            for part in range(num_parts):
                yield f"{name}.{part}", replace(place, part=part, num_parts=num_parts)
