"""A tensor that stays in its file until it is read, and what layouts do to it: rows, joins, swaps, casts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes
from muybridge.weights.in_file import InFile, united


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredTensor:
    """Shape and dtype are known without reading; `read` gives the tensor, memory-mapped where its file allows.

    packed: what the file holds instead, where the tensor is quantised; `read` then decodes this tensor alone.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: Path
    read: Callable[[], Tensor]
    packed: "Packed | None" = field(default=None, repr=False)

    @property
    def num_elements(self) -> int:
        """Product of the shape."""
        return prod(self.shape)

    @property
    def num_bytes(self) -> int:
        """Size of the data."""
        return self.num_elements * self.dtype.itemsize

    @property
    def in_file(self) -> InFile | None:
        """Where files have the values as they are; None where they are computed when read."""
        return self.read if isinstance(self.read, InFile) and self.read.dtype == self.dtype else None

    def read_into(self, out: Tensor) -> None:
        """Read it into `out`, contiguous memory of the processor with this shape and dtype; wherever possible unmapped.

        Beside it no memory is taken where files have the values as they are or in another floating-point dtype, and
        that of the parts where they are quantised. Raises WeightsError where a file has changed meanwhile.
        """
        if isinstance(self.read, InFile):
            self.read.into(out)
        elif self.packed is not None:
            out.copy_(self.packed.decode({name: part.loaded() for name, part in self.packed.parts.items()}, self.dtype))
        else:
            out.copy_(self.read())

    def loaded(self) -> Tensor:
        """Read into memory of its own."""
        out = torch.empty(self.shape, dtype=self.dtype)
        self.read_into(out)
        return out


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """A quantised tensor as its file holds it.

    scheme: how it is quantised, as people call it: `fp8 scaled`, `nf4`, `Q4_K`.
    parts: the stored tensors by what they are: `weight`, and with some schemes `scale` and others.
    decode: from the parts read to the tensor in a dtype; all arithmetic is float32, rounded once.
    row_parts: the parts whose first dimension is the tensor's own, so that its rows can be taken from them alone;
    empty where rows cannot be taken without decoding.
    """

    scheme: str
    parts: Mapping[str, StoredTensor]
    decode: Callable[[Mapping[str, Tensor], torch.dtype], Tensor]
    row_parts: frozenset[str] = frozenset()

    @property
    def num_bytes(self) -> int:
        """Size in the file."""
        return sum(part.num_bytes for part in self.parts.values())

    def read(self, dtype: torch.dtype) -> Tensor:
        """The decoded tensor."""
        return self.decode({name: part.read() for name, part in self.parts.items()}, dtype)

    def stored(self, shape: tuple[int, ...], dtype: torch.dtype) -> StoredTensor:
        """The tensor of this shape that decodes itself to this dtype when read."""
        file = self.parts["weight"].file
        return StoredTensor(shape=shape, dtype=dtype, file=file, read=lambda: self.read(dtype), packed=self)


class MappedTensors:
    """A file's tensors by name, mapped at the first look-up; `release` unmaps what is in no use any more.

    Pages that were read stay in the process's memory as long as the mapping does: converting a file of 25 GB through
    one mapping would end with 25 GB resident.
    """

    def __init__(
        self,
        open_file: Callable[[], Callable[[str], Tensor]],
        *,
        verify: Callable[[OnBytes | None], None] | None = None,
    ) -> None:
        """`open_file` maps the file and gives its look-up; `verify` compares it with checksums that it carries."""
        self._open_file = open_file
        self._verify = verify
        self._look_up: Callable[[str], Tensor] | None = None

    def tensor(self, name: str) -> Tensor:
        """The tensor of this name; it stays valid after `release`."""
        if self._look_up is None:
            self._look_up = self._open_file()
        return self._look_up(name)

    def verify(self, on_bytes: OnBytes | None = None) -> None:
        """Compare the file with the checksums that it carries, if any; raises WeightsError where one differs."""
        if self._verify is not None:
            self._verify(on_bytes)

    def release(self) -> None:
        """Let go of the mapping; the last tensor in use unmaps it."""
        self._look_up = None


class TensorMap(Mapping[str, Tensor]):
    """Stored tensors as a mapping from key to tensor; each look-up reads (maps) one."""

    def __init__(self, entries: Mapping[str, StoredTensor]):
        self._entries = entries

    def __getitem__(self, key: str) -> Tensor:
        return self._entries[key].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def from_tensor(tensor: Tensor, file: Path) -> StoredTensor:
    """A tensor already at hand."""
    return StoredTensor(shape=tuple(tensor.shape), dtype=tensor.dtype, file=file, read=lambda: tensor)


def rows(stored: StoredTensor, start: int, stop: int) -> StoredTensor:
    """Rows [start, stop) of the first dimension; still mapped, and still quantised where the scheme has rows."""
    shape = (stop - start, *stored.shape[1:])
    packed = stored.packed
    if packed is not None and packed.row_parts:
        parts = {name: _taken(packed, name, (start, stop)) for name in packed.parts}
        return replace(packed, parts=parts).stored(shape, stored.dtype)
    place, width = stored.in_file, prod(stored.shape[1:])

    def read() -> Tensor:
        return stored.read()[start:stop]

    part = place.taken(start * width, stop * width, read) if place else read
    return replace(stored, shape=shape, read=part, packed=None)


def joined(parts: Sequence[StoredTensor], key: str) -> StoredTensor:
    """The parts one under the other along the first dimension; still quantised where the scheme has rows.

    Raises WeightsError where their dtypes differ, since joining would change values.
    """
    first = parts[0]
    for part in parts:
        if part.dtype != first.dtype:
            raise WeightsError(
                f"{part.file}: the parts of {key!r} have dtypes {first.dtype} and {part.dtype}; "
                "save them in one dtype."
            )  # fmt: skip
    shape = (sum(part.shape[0] for part in parts), *first.shape[1:])
    packed = _joined_packed([part.packed for part in parts], key)
    if packed is not None:
        return packed.stored(shape, first.dtype)
    read = united([part.in_file for part in parts], lambda: torch.cat([part.read() for part in parts]))
    return replace(first, shape=shape, read=read, packed=None)


def swapped(stored: StoredTensor) -> StoredTensor:
    """The two halves of the first dimension exchanged."""
    half, num_rows = stored.shape[0] // 2, stored.shape[0]
    halves = [rows(stored, *span).in_file for span in ((num_rows - half, num_rows), (0, num_rows - half))]
    return replace(stored, read=united(halves, lambda: stored.read().roll(half, dims=0)), packed=None)


def viewed(stored: StoredTensor, shape: tuple[int, ...], dtype: torch.dtype) -> StoredTensor:
    """The same bytes under another shape and dtype."""
    place = stored.in_file

    def read() -> Tensor:
        return stored.read().reshape(-1).view(dtype).reshape(shape)

    return replace(stored, shape=shape, dtype=dtype, read=place.viewed(read, dtype) if place else read, packed=None)


def cast(stored: StoredTensor, dtype: torch.dtype) -> StoredTensor:
    """Converted when read; the same object where the dtype is right already, so that it stays mapped.

    A quantised tensor is decoded to the dtype at once, rounded once. Whole numbers, such as positions, stay what they
    are.
    """
    if stored.dtype == dtype or not stored.dtype.is_floating_point:
        return stored
    if stored.packed is not None:
        return stored.packed.stored(stored.shape, dtype)
    place = stored.in_file

    def read() -> Tensor:
        return stored.read().to(dtype)

    return replace(stored, dtype=dtype, read=place.viewed(read, place.dtype) if place else read)


def _taken(packed: Packed, name: str, span: tuple[int, int]) -> StoredTensor:
    part = packed.parts[name]
    return rows(part, *span) if name in packed.row_parts else part


def _joined_packed(parts: Sequence[Packed | None], key: str) -> Packed | None:
    """Rows of blocks one under the other; one scale for all rows of a part becomes one per row. None where they differ.

    A scheme's `decode` takes its parts whatever their number of rows, so the first part's does for all.
    """
    packs = [part for part in parts if part is not None and part.row_parts and part.parts.keys() <= {"weight", "scale"}]
    first = packs[0] if packs else None
    if first is None or len(packs) < len(parts) or len({(pack.scheme, *sorted(pack.parts)) for pack in packs}) > 1:
        return None
    rowwise = [{name: _rowwise(pack, name) for name in first.parts} for pack in packs]
    if any(pack[name].shape[1:] != rowwise[0][name].shape[1:] for pack in rowwise for name in first.parts):
        return None
    stacked = {name: joined([pack[name] for pack in rowwise], f"{key} ({name})") for name in first.parts}
    return replace(first, parts=stacked, row_parts=frozenset(first.parts))


def _rowwise(packed: Packed, name: str) -> StoredTensor:
    part, num_rows = packed.parts[name], packed.parts["weight"].shape[0]
    if name in packed.row_parts:
        return part
    return replace(part, shape=(num_rows, 1), read=lambda: part.read().reshape(1, 1).expand(num_rows, 1), packed=None)
