"""Tensors read by position from files into memory at hand: unmapped, and past the page cache where there is one.

A mapped file is resident as far as it was read, and reading 25 GB through the page cache took 0.3 s of processor time
per GB and pushed everything else out of it; read directly it took 0.05 s, at the speed of the disk (measured: virtio
disk, AMD EPYC).
"""

import errno
import mmap
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError

PAGE_BYTES = 4096  # direct reads begin and end at multiples of it, in the file and in memory
CHUNK_BYTES = 8 * 2**20  # read at a time: larger ones are not faster, and it fits the processor's cache
_DIRECT = getattr(os, "O_DIRECT", 0)
_CAN_READ_BY_POSITION = hasattr(os, "preadv")


class ByPosition:
    """A file opened at its first read and kept open: its name may be deleted or replaced meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()

    def read(self, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `start` on. Raises WeightsError where the file ends before, or fails."""
        try:
            with self._lock:
                self._read(start, out)
        except OSError as error:
            rule = f"cannot be read ({error.strerror})"
            raise WeightsError(f"{self.path}: {rule}; check the disk, and that the file is still there.") from None

    def _read(self, start: int, out: memoryview) -> None:
        position, stop = start, start + len(out)
        while position < stop:
            page = position - position % PAGE_BYTES
            wanted = min(CHUNK_BYTES, -(-(stop - page) // PAGE_BYTES) * PAGE_BYTES)
            count = os.preadv(self._handle, [self._chunk[:wanted]], page)
            found = min(page + count, stop) - position
            if found <= 0:
                rule = f"ends at byte {page + count}, and a tensor reaches to {stop}: it was cut short while in use"
                raise WeightsError(f"{self.path}: {rule}; download or save it again.")
            out[position - start : position - start + found] = self._chunk[position - page : position - page + found]
            position += found

    @cached_property
    def _chunk(self) -> memoryview:
        return memoryview(mmap.mmap(-1, CHUNK_BYTES))  # begins at a page

    @cached_property
    def _handle(self) -> int:
        handle = _open(self.path, self._chunk)
        weakref.finalize(self, os.close, handle)
        return handle


def _open(path: Path, chunk: memoryview) -> int:
    """Past the page cache, where the file system can do that."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        direct = os.open(path, os.O_RDONLY | os.O_CLOEXEC | _DIRECT)
    except OSError as error:
        if error.errno != errno.EINVAL:
            os.close(handle)
            raise
        return handle
    try:
        os.preadv(direct, [chunk[:PAGE_BYTES]], 0)
    except OSError:
        os.close(direct)
        return handle
    os.close(handle)
    return direct


class Piece(NamedTuple):
    """Bytes [start, stop) of a file."""

    file: ByPosition
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class InFile:
    """A tensor whose values, flat, stand in files: `pieces` one behind the other, in `dtype`. A call maps it."""

    mapped: Callable[[], Tensor]
    dtype: torch.dtype
    pieces: tuple[Piece, ...]

    def __call__(self) -> Tensor:
        """The tensor, memory-mapped as far as its dtype and pieces allow."""
        return self.mapped()

    def into(self, out: Tensor) -> None:
        """Read it into contiguous memory of the processor, rounded once where that has another dtype."""
        flat = out.view(-1)
        if not _CAN_READ_BY_POSITION:
            flat.copy_(self().reshape(-1))
        elif out.dtype == self.dtype:
            self._fill(flat)
        else:
            self._fill_cast(flat)

    def taken(self, first: int, last: int, mapped: Callable[[], Tensor]) -> "InFile":
        """Its values [first, last)."""
        pieces, position = [], 0
        start, stop = first * self.dtype.itemsize, last * self.dtype.itemsize
        for file, begin, end in self.pieces:
            low, high = max(start - position, 0), min(stop - position, end - begin)
            if low < high:
                pieces.append(Piece(file, begin + low, begin + high))
            position += end - begin
        return InFile(mapped, self.dtype, tuple(pieces))

    def viewed(self, mapped: Callable[[], Tensor], dtype: torch.dtype) -> "InFile":
        """The same bytes as values of `dtype`, given otherwise when mapped: reshaped, or cast."""
        return InFile(mapped, dtype, self.pieces)

    def _fill(self, flat: Tensor) -> None:
        data, position = memoryview(flat.view(torch.uint8).numpy()), 0  # type: ignore[arg-type]
        for file, start, stop in self.pieces:
            file.read(start, data[position : position + stop - start])
            position += stop - start

    def _fill_cast(self, flat: Tensor) -> None:
        position = 0
        for part in flat.split(CHUNK_BYTES // self.dtype.itemsize):
            values = torch.empty(len(part), dtype=self.dtype)
            self.taken(position, position + len(part), self.mapped)._fill(values)
            part.copy_(values)
            position += len(part)


def united(places: Sequence[InFile | None], mapped: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """What gives the parts one behind the other: still in files where all are, in one dtype."""
    found = [place for place in places if place is not None]
    if len(found) < len(places) or len({place.dtype for place in found}) > 1:
        return mapped
    return InFile(mapped, found[0].dtype, tuple(piece for place in found for piece in place.pieces))
