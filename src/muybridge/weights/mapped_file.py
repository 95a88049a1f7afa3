"""Tensors of a safetensors file mapped into memory, privately: writing to one touches no file.

The file is mapped in pieces, because Linux refuses one private mapping that is larger than memory and swap together
(measured: 25.6 GB on a machine of 24 GiB), though nothing of it need ever be resident.
"""

import mmap
from collections.abc import Callable
from functools import cache
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from muybridge.weights.header import Header, Span

PIECE_BYTES = 2**32  # a tensor over it is a piece of its own


def map_tensors(file: Path, header: Header) -> Callable[[str], Tensor]:
    """A look-up of a file's tensors by name; a piece is mapped when a tensor of it is first asked for.

    Every tensor keeps its piece mapped as long as it lives. Raises OSError where the system cannot map.
    """
    first = _pieces(header)

    @cache
    def piece(start: int, stop: int) -> mmap.mmap:
        with file.open("rb") as stream:
            return mmap.mmap(stream.fileno(), stop - start, access=mmap.ACCESS_COPY, offset=start)

    def look_up(name: str) -> Tensor:
        span = header.spans[name]
        if span.stop == span.start:
            return torch.empty(span.shape, dtype=span.dtype)
        start, stop = first[name]
        position = header.data_start + span.start - start
        flat = torch.frombuffer(piece(start, stop), dtype=span.dtype, count=prod(span.shape), offset=position)
        return flat.reshape(span.shape)

    return look_up


def _pieces(header: Header) -> dict[str, tuple[int, int]]:
    """Of each tensor the bytes [start, stop) of the file that are mapped with it; starts are whole pages."""
    found: dict[str, tuple[int, int]] = {}
    group: list[tuple[str, Span]] = []
    for name, span in sorted(header.spans.items(), key=lambda item: item[1].start):
        if group and span.stop - group[0][1].start > PIECE_BYTES:
            found |= _piece(header, group)
            group = []
        group.append((name, span))
    return found | _piece(header, group)


def _piece(header: Header, group: list[tuple[str, Span]]) -> dict[str, tuple[int, int]]:
    if not group:
        return {}
    start = (header.data_start + group[0][1].start) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    return dict.fromkeys((name for name, _ in group), (start, header.data_start + group[-1][1].stop))
