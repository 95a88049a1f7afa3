"""The GGUF header: read and checked in full before anything is mapped.

Read here and not by the package gguf, whose reader takes minutes or all memory over a hostile count. Format: GGUF
versions 2 and 3, little-endian (ggml, docs/gguf.md).
"""

import mmap
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from muybridge.core.errors import WeightsError
from muybridge.weights.storage.companions import REMEDY

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ITEMS = 2**20  # keys, tensors and strings in arrays together: the largest vocabularies have 2**18
MAX_ARRAY = 2**12  # longer arrays are of vocabularies and are skipped
MAX_STRING_BYTES = 2**24
MAX_DIMS = 8  # ggml has four; five-dimensional convolutions are written all the same
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
Value = int | float | bool | str | tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorInfo:
    """One tensor: its ggml type by number, its shape (outermost first), where its bytes begin in the file."""

    type: int
    shape: tuple[int, ...]
    start: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufHeader:
    """What a GGUF file holds; arrays of vocabularies are left out of the metadata."""

    metadata: Mapping[str, Value]
    tensors: Mapping[str, TensorInfo]


class _Cursor:
    """A place in the mapped header that never passes its end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data, self.path = data, path
        self.position, self.num_items = len(MAGIC), 0

    def fault(self, what: str) -> WeightsError:
        return WeightsError(f"{self.path}: its GGUF header {what}; {REMEDY}.")

    def take(self, form: str) -> Any:
        start = self.advance(struct.calcsize(f"<{form}"))
        return struct.unpack_from(f"<{form}", self.data, start)[0]

    def advance(self, num_bytes: int) -> int:
        """The place before a step; the step stays within the file."""
        start = self.position
        if num_bytes > len(self.data) - start:
            raise self.fault("ends too early")
        self.position += num_bytes
        return start

    def count(self, form: str, *, limit: int, what: str) -> int:
        """A number of things that each take a byte at least."""
        number = self.take(form)
        if number > min(limit, len(self.data)):
            raise self.fault(f"promises {number} {what}, over the limit {limit}")
        return number

    def items(self, what: str) -> int:
        number = self.count("Q", limit=MAX_ITEMS, what=what)
        self.num_items += number
        if self.num_items > MAX_ITEMS:
            raise self.fault(f"promises over {MAX_ITEMS} items in all")
        return number

    def string(self) -> str:
        length = self.count("Q", limit=MAX_STRING_BYTES, what="bytes of text")
        start = self.advance(length)
        try:
            return self.data[start : self.position].decode("utf-8")
        except UnicodeDecodeError:
            raise self.fault("holds text that is not UTF-8") from None


def read_gguf_header(path: Path) -> GgufHeader:
    """The checked header of a GGUF file. Raises WeightsError where it is damaged or asks for the impossible."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = _Cursor(data, path)
        version = cursor.take("I")
        if version not in VERSIONS:
            raise WeightsError(f"{path}: is GGUF version {version}; only 2 and 3, little-endian, are read.")
        num_tensors, num_keys = cursor.items("tensors"), cursor.items("keys")
        metadata = _named(cursor, num_keys, _value)
        alignment = metadata.get("general.alignment", 32)
        if type(alignment) is not int or not 0 < alignment <= 2**16 or alignment & (alignment - 1):
            raise cursor.fault(f"has the alignment {alignment}, which is no power of two")
        tensors = _named(cursor, num_tensors, _tensor)
        data_start = -(-cursor.position // alignment) * alignment
    placed = {
        name: TensorInfo(type=kind, shape=shape, start=data_start + offset)
        for name, (kind, shape, offset) in tensors.items()
    }
    return GgufHeader(metadata={name: value for name, value in metadata.items() if value is not None}, tensors=placed)


def _named(cursor: _Cursor, number: int, read: Callable[[_Cursor], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(number):
        name = cursor.string()
        if name in found:
            raise cursor.fault(f"names {name!r} twice")
        found[name] = read(cursor)
    return found


def _value(cursor: _Cursor) -> Value | None:
    kind = cursor.take("I")
    if kind == _STRING:
        return cursor.string()
    if kind == _ARRAY:
        return _array(cursor)
    if kind not in _SCALARS:
        raise cursor.fault(f"has a value of the unknown type {kind}")
    return cursor.take(_SCALARS[kind])


def _array(cursor: _Cursor) -> tuple[Any, ...] | None:
    kind = cursor.take("I")
    if kind == _STRING:
        texts = [cursor.string() for _ in range(cursor.items("texts"))]
        return tuple(texts) if len(texts) <= MAX_ARRAY else None
    if kind not in _SCALARS:
        raise cursor.fault(f"has an array of the unknown type {kind}")
    length = cursor.take("Q")
    start = cursor.advance(length * struct.calcsize(_SCALARS[kind]))
    if length > MAX_ARRAY:
        return None
    return struct.unpack_from(f"<{length}{_SCALARS[kind]}", cursor.data, start)


def _tensor(cursor: _Cursor) -> tuple[int, tuple[int, ...], int]:
    """ggml type, shape and offset in the data."""
    num_dims = cursor.count("I", limit=MAX_DIMS, what="dimensions")
    shape = tuple(cursor.take("Q") for _ in range(num_dims))[::-1]
    if prod(filter(None, shape)) > 2**48:  # without the empty ones, since strides count by the others
        raise cursor.fault(f"has a tensor of the shape {shape}")
    return cursor.take("I"), shape, cursor.take("Q")
