"""The number types of ggml, from the package gguf, which is imported when a GGUF file is at hand."""

import functools
import importlib
from dataclasses import dataclass
from math import prod
from types import ModuleType
from typing import Any

import numpy
import torch
from torch import Tensor

from muybridge.core.errors import MissingExtra
from muybridge.weights.storage.companions import by_rows
from muybridge.weights.storage.ggml_blocks import DECODERS

DENSE = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


@dataclass(frozen=True, kw_only=True, slots=True)
class GgmlType:
    """A type: `block` values of a row take `block_bytes` bytes. dtype: torch's, where values stand one by one."""

    name: str
    number: int
    block: int
    block_bytes: int

    @property
    def dtype(self) -> torch.dtype | None:
        """The torch dtype with the same bits; None where values are quantised."""
        return DENSE.get(self.name)

    def num_bytes(self, shape: tuple[int, ...]) -> int | None:
        """Size of a tensor; None where its rows do not divide into blocks."""
        return prod(shape) // self.block * self.block_bytes if not shape or shape[-1] % self.block == 0 else None

    def can_decode(self) -> bool:
        """Whether the package gguf can, which it says when asked to."""
        return self.dtype is not None or _answers(self.name, "dequantize")

    def can_encode(self) -> bool:
        """The same for writing."""
        return self.dtype is not None or _answers(self.name, "quantize")

    def decode(self, raw: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of values from rows of blocks (uint8): float32 a few rows at a time, rounded once."""
        shape = (raw.shape[0], raw.shape[1] // self.block_bytes * self.block)
        decode = DECODERS.get(self.name, self._by_package)

        def rows(start: int, stop: int) -> Tensor:
            return decode(raw[start:stop].reshape(-1, self.block_bytes)).reshape(stop - start, shape[1])

        return by_rows(shape, dtype, rows, device=raw.device)

    def _by_package(self, blocks: Tensor) -> Tensor:
        """What `DECODERS` lacks, on the CPU."""
        values = _quants().dequantize(blocks.cpu().numpy(), _enum()[self.name])
        return torch.from_numpy(values).to(blocks.device)

    def encode(self, matrix: Tensor) -> Tensor:
        """Rows of blocks (uint8) from rows of values, whose length is a multiple of `block`."""
        kind = _enum()[self.name]
        shape = (matrix.shape[0], matrix.shape[1] // self.block * self.block_bytes)
        return by_rows(
            shape, torch.uint8, lambda a, b: torch.from_numpy(_quants().quantize(matrix[a:b].float().numpy(), kind))
        )


@functools.cache
def ggml_types() -> dict[int, GgmlType]:
    """Every type by its number. Raises MissingExtra without the package gguf."""
    sizes = gguf_package().GGML_QUANT_SIZES
    return {
        int(kind): GgmlType(name=kind.name, number=int(kind), block=block, block_bytes=size)
        for kind, (block, size) in sizes.items()
    }


@functools.cache
def _answers(name: str, verb: str) -> bool:
    kind = _enum()[name]
    block, block_bytes = gguf_package().GGML_QUANT_SIZES[kind]
    rows = {
        "dequantize": numpy.zeros((1, block_bytes), numpy.uint8),
        "quantize": numpy.zeros((1, block), numpy.float32),
    }
    try:
        getattr(_quants(), verb)(rows[verb], kind)
    except NotImplementedError:
        return False
    return True


def _enum() -> Any:
    return gguf_package().GGMLQuantizationType


def _quants() -> ModuleType:
    return gguf_package("gguf.quants")


def gguf_package(name: str = "gguf") -> ModuleType:
    """The package gguf, or a module of it. Raises MissingExtra where it is not installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise MissingExtra("GGUF files: reading them needs the package gguf; pip install gguf.") from None
