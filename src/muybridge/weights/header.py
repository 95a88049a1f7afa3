"""The safetensors header: read and checked in full before anything is mapped, and written."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes, sha256
from muybridge.weights.json_map import json_map

MAX_HEADER_BYTES = 100_000_000  # the format's own limit
MAX_DIMS = 64  # numpy's limit; it bounds the time that a hostile shape takes
ALIGNMENT = 64  # bytes, as torch allocates: mapped weights then give bit for bit what the same weights in memory give
DATA_DIGEST = "muybridge.sha256"  # SHA-256 of the data section
HEADER_DIGEST = "muybridge.header_sha256"  # SHA-256 of the header, this entry left out
OWN_PREFIX = "muybridge."
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_COUNT_LIMIT = 2**63  # torch counts in int64
_BLANK_DIGEST = "0" * 64
_LENGTH = struct.Struct("<Q")
_REMEDY = "download or save it again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One tensor's dtype, shape and bytes [start, stop) of the data section."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a safetensors file holds; `data_start` is where its data section begins."""

    spans: Mapping[str, Span]
    metadata: Mapping[str, str]
    data_start: int


def read_header(path: Path) -> Header:
    """The checked header of a safetensors file.

    Raises WeightsError unless the header is whole, its entries are well formed, and the spans fill the file exactly.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = _header_length(path, file.read(_LENGTH.size), size)
        text = file.read(length)
    fields = json_map(text, f"{path}: the safetensors header")
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise WeightsError(f"{path}: __metadata__ is not a map of strings; {_REMEDY}.")
    spans = {key: _span(path, key, entry) for key, entry in fields.items()}
    _check_layout(path, spans, size - _LENGTH.size - length)
    return Header(spans=spans, metadata=metadata, data_start=_LENGTH.size + length)


def encode_header(spans: Mapping[str, Span], metadata: Mapping[str, str]) -> bytes:
    """The bytes in front of the data section, padded with spaces so that the data start aligned."""
    text = json.dumps(_fields(spans, metadata), separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH.size + len(text)) % ALIGNMENT)
    return _LENGTH.pack(len(text)) + text


def with_blank_digests(metadata: Mapping[str, str]) -> dict[str, str]:
    """`metadata` with both digests at their final length, to be replaced once the data are written."""
    return {**metadata, DATA_DIGEST: _BLANK_DIGEST, HEADER_DIGEST: _BLANK_DIGEST}


def with_digests(spans: Mapping[str, Span], metadata: Mapping[str, str], data_digest: str) -> dict[str, str]:
    """`metadata` with the digest of the data and, over it and all else in the header, the digest of the header."""
    metadata = {**metadata, DATA_DIGEST: data_digest}
    return {**metadata, HEADER_DIGEST: header_digest(spans, metadata)}


def header_digest(spans: Mapping[str, Span], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the header's canonical JSON without its own entry."""
    kept = {key: value for key, value in metadata.items() if key != HEADER_DIGEST}
    return hashlib.sha256(json.dumps(_fields(spans, kept), sort_keys=True).encode()).hexdigest()


def is_own(metadata: Mapping[str, str]) -> bool:
    """True for a file that this package wrote."""
    return any(key.startswith(OWN_PREFIX) for key in metadata)


def verify(path: Path, header: Header, *, on_bytes: OnBytes | None = None) -> None:
    """Compare a file that this package wrote with the digests it carries; other files carry none and pass.

    on_bytes: told how many bytes more were read. Raises WeightsError where a digest is missing or differs.
    """
    if not is_own(header.metadata):
        return
    if header.metadata.get(HEADER_DIGEST) != header_digest(header.spans, header.metadata):
        raise WeightsError(f"{path}: the header does not match its checksum, so the file is damaged; {_REMEDY}.")
    if header.metadata.get(DATA_DIGEST) != sha256(path, start=header.data_start, on_bytes=on_bytes):
        raise WeightsError(f"{path}: the weights do not match their checksum, so the file is damaged; {_REMEDY}.")


def _header_length(path: Path, prefix: bytes, size: int) -> int:
    if len(prefix) < _LENGTH.size:
        raise WeightsError(f"{path}: has {size} bytes, too few for safetensors; {_REMEDY}.")
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_HEADER_BYTES:
        raise WeightsError(
            f"{path}: its header would be {length} bytes, over safetensors' limit {MAX_HEADER_BYTES}; {_REMEDY}."
        )
    if length > size - _LENGTH.size:
        raise WeightsError(f"{path}: its header has {length} bytes but the file only {size}: truncated; {_REMEDY}.")
    return length


def _span(path: Path, key: str, entry: Any) -> Span:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise WeightsError(f"{path}: key {key!r} has no dtype, shape and data_offsets in the header; {_REMEDY}.")
    shape, offsets, dtype = entry["shape"], entry["data_offsets"], entry["dtype"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WeightsError(f"{path}: key {key!r} has the unknown dtype {dtype!r}; use {', '.join(DTYPES)}.")
    if not _is_shape(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise WeightsError(f"{path}: key {key!r} has a broken shape or data_offsets; {_REMEDY}.")
    num_bytes = prod(shape) * DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != num_bytes:
        raise WeightsError(
            f"{path}: key {key!r} needs {num_bytes} bytes for {dtype} {tuple(shape)} but spans "
            f"{offsets[1] - offsets[0]}; {_REMEDY}."
        )
    return Span(dtype=DTYPES[dtype], shape=tuple(shape), start=offsets[0], stop=offsets[1])


def _is_shape(values: Any) -> bool:
    """Whether torch can count by these sizes: the product without the empty ones is what its strides reach."""
    return _are_counts(values) and prod(filter(None, values)) < _COUNT_LIMIT


def _are_counts(values: Any) -> bool:
    is_list = isinstance(values, list) and len(values) <= MAX_DIMS
    return is_list and all(type(value) is int and 0 <= value < _COUNT_LIMIT for value in values)


def _check_layout(path: Path, spans: Mapping[str, Span], num_bytes: int) -> None:
    position = 0
    for key, span in sorted(spans.items(), key=lambda item: (item[1].start, item[1].stop)):
        if span.start != position:
            fault = "overlaps another tensor" if span.start < position else "leaves a hole before it"
            raise WeightsError(f"{path}: key {key!r} {fault} at byte {span.start} of the data; {_REMEDY}.")
        position = span.stop
    if position > num_bytes:
        raise WeightsError(f"{path}: the header promises {position} bytes, the file has {num_bytes}; {_REMEDY}.")
    if position < num_bytes:
        raise WeightsError(f"{path}: {num_bytes - position} bytes follow the last tensor; {_REMEDY}.")


def _fields(spans: Mapping[str, Span], metadata: Mapping[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {
        key: {"dtype": _NAMES[span.dtype], "shape": list(span.shape), "data_offsets": [span.start, span.stop]}
        for key, span in spans.items()
    }
    return {"__metadata__": dict(metadata), **entries} if metadata else entries
