"""GGUF files as checkpoints: city96's HunyuanVideo (`hyvid`, official names) and llama.cpp's language models."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from pathlib import Path

import numpy
import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.in_file import ByPosition, InFile, Piece
from muybridge.weights.storage.companions import REMEDY
from muybridge.weights.storage.ggml import GgmlType, ggml_types
from muybridge.weights.storage.gguf_header import GgufHeader, TensorInfo, read_gguf_header
from muybridge.weights.storage.llama import from_llama_cpp, llama_config
from muybridge.weights.storage.scales import COMPUTE
from muybridge.weights.stored import MappedTensors, Packed, StoredTensor, viewed

ORIGINAL_SHAPE = "comfy.gguf.orig_shape."  # before the name of a tensor that had to be flattened
PATCH_EMBEDDING = "img_in.proj"
PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")  # llama.cpp's names of a split file
_LANGUAGE_MODELS = ("llama",)  # whose names and rows llama.cpp changes


def open_gguf(file: Path) -> Checkpoint:
    """The checkpoint in a GGUF file, or in all parts of a split one, mapped.

    Quantised tensors decode themselves, to bfloat16, when they are read.
    Raises WeightsError on a damaged file, a missing part, or a type that the package gguf cannot decode.
    """
    headers = _headers(file)
    whole = _joined(headers)
    entries: dict[str, StoredTensor] = {}
    sources: list[MappedTensors] = []
    for part, header in headers.items():
        types = {name: _checked_type(part, name, info) for name, info in header.tensors.items()}
        spans = _spans(part, header.tensors, types)
        source, on_disk = MappedTensors(partial(_look_up, part, spans)), ByPosition(part)
        sources.append(source)
        for name, info in header.tensors.items():
            read = InFile(partial(source.tensor, name), torch.uint8, (Piece(on_disk, *spans[name]),))
            entries[name] = _entry(_raw(part, info, types[name], read=read), types[name], _shape(part, name, whole))
    config = None
    if whole.metadata.get("general.architecture") in _LANGUAGE_MODELS:
        entries = from_llama_cpp(entries, whole.metadata, file)
        config = llama_config(whole.metadata)
    metadata = {name: str(value) for name, value in whole.metadata.items() if isinstance(value, str | int | float)}
    return Checkpoint(
        path=file, entries=entries, metadata=metadata, config=config, files=tuple(headers), sources=tuple(sources)
    )


def _headers(file: Path) -> dict[Path, GgufHeader]:
    """The header of a file; of one part of a split one, those of all parts, in order."""
    header = read_gguf_header(file)
    count = header.metadata.get("split.count", 0)
    if count in (0, 1):
        return {file: header}
    named = PART.fullmatch(file.name)
    if named is None or type(count) is not int or count != int(named["count"]):
        rule = f"says it is one of {count} parts, and its name does not"
        raise WeightsError(f"{file}: {rule}; name the parts NAME-00001-of-0000N.gguf.")
    parts = [file.with_name(f"{named['stem']}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)]
    missing = next((part for part in parts if not part.is_file()), None)
    if missing is not None:
        raise WeightsError(f"{missing}: this part of {count} is missing; put it beside the others.")
    return {part: read_gguf_header(part) for part in parts}


def _joined(headers: Mapping[Path, GgufHeader]) -> GgufHeader:
    """Parts as one: the metadata of the first, the tensors of all. Raises WeightsError where they do not belong."""
    first, *_ = headers.values()
    tensors: dict[str, TensorInfo] = {}
    for number, (part, header) in enumerate(headers.items()):
        if len(headers) > 1 and header.metadata.get("split.no") != number:
            raise WeightsError(f"{part}: says it is part {header.metadata.get('split.no')}, not {number}; {REMEDY}.")
        twice = next((name for name in header.tensors if name in tensors), None)
        if twice is not None:
            raise WeightsError(f"{part}: {twice!r} is in another part too; {REMEDY}.")
        tensors |= header.tensors
    promised = first.metadata.get("split.tensors.count", len(tensors))
    if len(headers) > 1 and promised != len(tensors):
        raise WeightsError(
            f"{next(iter(headers))}: promises {promised} tensors, the parts hold {len(tensors)}; {REMEDY}."
        )
    return GgufHeader(metadata=first.metadata, tensors=tensors)


def _checked_type(file: Path, name: str, info: TensorInfo) -> GgmlType:
    found = ggml_types().get(info.type)
    if found is None:
        raise WeightsError(f"{file}: {name!r} has the unknown ggml type {info.type}; update the package gguf.")
    if not found.can_decode():
        raise WeightsError(f"{file}: {name!r} is {found.name}, which the package gguf cannot decode; use another type.")
    if found.num_bytes(info.shape) is None:
        raise WeightsError(f"{file}: {name!r} of {info.shape} does not divide into blocks of {found.name}; {REMEDY}.")
    return found


def _spans(file: Path, tensors: Mapping[str, TensorInfo], types: Mapping[str, GgmlType]) -> dict[str, tuple[int, int]]:
    """First and last byte of each tensor; none overlaps another or the end of the file."""
    size, position = file.stat().st_size, 0
    spans: dict[str, tuple[int, int]] = {}
    for name, info in sorted(tensors.items(), key=lambda item: item[1].start):
        stop = info.start + (types[name].num_bytes(info.shape) or 0)
        if stop > size:
            raise WeightsError(f"{file}: ends before {name!r} does, so it is truncated; {REMEDY}.")
        if info.start < position:
            raise WeightsError(f"{file}: {name!r} overlaps another tensor; {REMEDY}.")
        spans[name] = (info.start, stop)
        position = stop
    return spans


def _look_up(file: Path, spans: Mapping[str, tuple[int, int]]) -> Callable[[str], Tensor]:
    data = numpy.memmap(file, dtype=numpy.uint8, mode="c")  # private: writing to a tensor never reaches the file
    return lambda name: torch.from_numpy(data[slice(*spans[name])])


def _raw(file: Path, info: TensorInfo, kind: GgmlType, *, read: InFile) -> StoredTensor:
    """The tensor's bytes, one row of the first dimension under the other."""
    rows = (info.shape or (1,))[0] if len(info.shape) > 1 else 1
    num_bytes = kind.num_bytes(info.shape) or 0
    stored = StoredTensor(shape=(num_bytes,), dtype=torch.uint8, file=file, read=read)
    return viewed(stored, (rows, num_bytes // max(1, rows)), torch.uint8)


def _entry(raw: StoredTensor, kind: GgmlType, shape: tuple[int, ...]) -> StoredTensor:
    dtype = kind.dtype
    if dtype is not None:
        return viewed(raw, shape, dtype)

    def decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        return kind.decode(read["weight"], dtype).reshape(-1, *shape[1:])

    has_rows = len(shape) > 1 and raw.shape[0] == shape[0]
    packed = Packed(
        scheme=kind.name, parts={"weight": raw}, decode=decode, row_parts=frozenset({"weight"} if has_rows else ())
    )
    return packed.stored(shape, COMPUTE)


def _shape(file: Path, name: str, header: GgufHeader) -> tuple[int, ...]:
    """The shape before the tensor was flattened: told by the file, or known of the patch embedding."""
    flat = header.tensors[name].shape
    told = header.metadata.get(ORIGINAL_SHAPE + name)
    if told is not None:
        shape = told if isinstance(told, tuple) else ()
        if not all(type(size) is int and size > 0 for size in shape) or prod(shape) != prod(flat):
            raise WeightsError(f"{file}: {ORIGINAL_SHAPE}{name} = {told} does not fit {flat}; {REMEDY}.")
        return shape
    if not name.endswith(f"{PATCH_EMBEDDING}.weight") or len(flat) == 5:
        return flat
    bias = header.tensors.get(name.removesuffix("weight") + "bias")
    width = prod(bias.shape) if bias else 0
    is_known = width and prod(flat) % (width * 4) == 0
    return (width, prod(flat) // (width * 4), 1, 2, 2) if is_known else flat  # every released patch is (1, 2, 2)
