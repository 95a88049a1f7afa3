"""GGUF files written one tensor at a time, in any type that the package gguf can encode."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy
import torch

from muybridge.core.errors import invalid
from muybridge.core.files import OnBytes, atomic_path
from muybridge.weights.storage.companions import Entries
from muybridge.weights.storage.ggml import DENSE, GgmlType, ggml_types, gguf_package
from muybridge.weights.storage.gguf import ORIGINAL_SHAPE
from muybridge.weights.storage.write import is_block_linear
from muybridge.weights.stored import StoredTensor

_MAX_DIMS = 4  # ggml's
_DENSE_NAMES = {dtype: name for name, dtype in DENSE.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """How a tensor will lie in the file."""

    stored: StoredTensor
    type: GgmlType
    shape: tuple[int, ...]

    @property
    def row_shape(self) -> tuple[int, int]:
        """Of the bytes: rows and bytes in a row."""
        rows = prod(self.shape[:-1])
        return rows, self.shape[-1] // self.type.block * self.type.block_bytes

    def bytes(self) -> numpy.ndarray:
        """The rows as they are written; blocks that are of the type already keep every bit."""
        packed = self.stored.packed
        if packed is not None and packed.scheme == self.type.name:
            return packed.parts["weight"].read().reshape(self.row_shape).numpy()
        matrix = self.stored.read().detach().cpu().reshape(self.row_shape[0], self.shape[-1])
        if self.type.dtype is None:
            return self.type.encode(matrix).numpy()
        return matrix.to(self.type.dtype).contiguous().view(torch.uint8).numpy()


def write_gguf(
    path: Path,
    entries: Entries,
    *,
    type_name: str | None = "Q8_0",
    architecture: str = "hyvid",
    metadata: Mapping[str, str | int] | None = None,
    on_bytes: OnBytes | None = None,
) -> None:
    """Write entries (official names) as one GGUF file; whole or not at all, one tensor in memory at a time.

    type_name: of the blocks' linear layers, e.g. Q8_0, Q5_1, Q4_0, BF16; None: what they are in another GGUF, else
    their dtype. Vectors are float32, the rest keeps its dtype.
    Raises InvalidInput on a type that the package gguf cannot encode.
    """
    plans = _plans(entries, type_name)
    with atomic_path(path) as temporary, closing(_writer(temporary, architecture, metadata or {}, plans)) as writer:
        for plan in plans.values():
            data = plan.bytes()
            writer.write_tensor_data(data)
            if on_bytes is not None:
                on_bytes(data.nbytes)


def gguf_bytes(entries: Entries, *, type_name: str | None) -> int:
    """Size of the tensors that `write_gguf` writes. Raises InvalidInput as it does."""
    return sum(prod(plan.row_shape) for plan in _plans(entries, type_name).values())


def _plans(entries: Entries, type_name: str | None) -> dict[str, _Plan]:
    types = {kind.name: kind for kind in ggml_types().values()}
    if type_name is not None and (type_name not in types or not types[type_name].can_encode()):
        known = ", ".join(sorted(name for name, kind in types.items() if kind.can_encode()))
        raise invalid(f"type {type_name}", f"the package gguf can encode {known}", "choose one")
    return {key: _plan(key, entry, types, type_name) for key, entry in entries.items()}


def _plan(key: str, stored: StoredTensor, types: Mapping[str, GgmlType], type_name: str | None) -> _Plan:
    shape = stored.shape or (1,)
    if len(shape) > _MAX_DIMS:
        shape = (shape[0], prod(shape[1:]))
    dense = "F32" if len(shape) == 1 else _DENSE_NAMES.get(stored.dtype, "F32")
    own = stored.packed.scheme if stored.packed is not None and stored.packed.scheme in types else dense
    wanted = types[own if type_name is None or not is_block_linear(key, stored) else type_name]
    return _Plan(stored=stored, type=wanted if shape[-1] % wanted.block == 0 else types[dense], shape=shape)


def _writer(path: Path, architecture: str, metadata: Mapping[str, str | int], plans: Mapping[str, _Plan]) -> Any:
    """The package's writer, its header written."""
    package = gguf_package()
    writer = package.GGUFWriter(path, architecture)
    writer.add_quantization_version(package.GGML_QUANT_VERSION)
    for name, value in metadata.items():
        writer.add_string(name, value) if isinstance(value, str) else writer.add_uint32(name, value)
    for key, plan in plans.items():
        if plan.stored.shape != plan.shape and plan.stored.shape:
            writer.add_array(ORIGINAL_SHAPE + key, list(plan.stored.shape))
        rows, row_bytes = plan.row_shape
        shape = (*plan.shape[:-1], row_bytes)
        kind = package.GGMLQuantizationType(plan.type.number)
        writer.add_tensor_info(key, shape, numpy.dtype(numpy.uint8), rows * row_bytes, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    return writer
