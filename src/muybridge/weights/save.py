"""Safetensors written one tensor at a time, with the config and checksums in the metadata."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from muybridge.core.config import to_dict
from muybridge.core.errors import InvalidInput, invalid
from muybridge.core.files import atomic_path
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.weights.configs import CONFIG_KEY, KIND_KEY
from muybridge.weights.header import ALIGNMENT, DTYPES, Span, encode_header, with_blank_digests, with_digests
from muybridge.weights.layouts import stripped
from muybridge.weights.stored import StoredTensor, cast, from_tensor


def save_model(
    model: Transformer | VideoVAE,
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a model as one safetensors file that carries its config and checksums; whole or not at all.

    dtype: None keeps each parameter's own. metadata: further strings to keep in the file.
    Raises InvalidInput where the file cannot be written.
    """
    path = Path(path)
    entries = stripped({key: from_tensor(tensor, path) for key, tensor in model.state_dict().items()})
    if dtype is not None:
        entries = {key: cast(entry, dtype) for key, entry in entries.items()}
    write_safetensors(path, entries, metadata={**(metadata or {}), **own_metadata(model.config)})


def save_tensors(tensors: Mapping[str, Tensor], path: str | Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors as one safetensors file that carries checksums; whole or not at all.

    Raises InvalidInput where the file cannot be written.
    """
    path = Path(path)
    write_safetensors(
        path, {key: from_tensor(tensor, path) for key, tensor in tensors.items()}, metadata=metadata or {}
    )


def own_metadata(config: TransformerConfig | VAEConfig) -> dict[str, str]:
    """What our files say about themselves beside their checksums."""
    kind = "vae" if isinstance(config, VAEConfig) else "transformer"
    return {"format": "pt", KIND_KEY: kind, CONFIG_KEY: json.dumps(to_dict(config))}


def write_safetensors(path: Path, entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str]) -> None:
    """Stream entries into a safetensors file; at most one of them is in memory at a time.

    Raises InvalidInput where the file cannot be written or a value has no place in the format.
    """
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise invalid(f"metadata {key}={value!r}", "safetensors keeps strings only", "write it as a string")
    spans = _spans(entries)
    with atomic_path(path) as temporary:
        try:
            _write(temporary, entries, spans, metadata)
        except OSError as error:
            raise InvalidInput(
                f"{path}: cannot be written ({error.strerror}); free space or choose another folder."
            ) from None


def _spans(entries: Mapping[str, StoredTensor]) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    position = 0
    for key in sorted(entries, key=lambda key: _rank(key, entries[key])):
        entry = entries[key]
        if entry.dtype not in DTYPES.values():
            raise invalid(f"{key} of {entry.dtype}", "safetensors has no such dtype here", "cast it first")
        spans[key] = Span(dtype=entry.dtype, shape=entry.shape, start=position, stop=position + entry.num_bytes)
        position += entry.num_bytes
    return spans


def _rank(key: str, entry: StoredTensor) -> tuple[bool, int, str]:
    """An order that keeps tensors aligned though the format has no gaps: odd lengths last, widest dtype first."""
    return entry.num_bytes % ALIGNMENT != 0, -entry.dtype.itemsize, key


def _write(
    file: Path, entries: Mapping[str, StoredTensor], spans: Mapping[str, Span], metadata: Mapping[str, str]
) -> None:
    """Digests are known only at the end: their place is kept in the header and filled then."""
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        stream.write(encode_header(spans, with_blank_digests(metadata)))
        for key in spans:
            data = _bytes(entries[key].read())
            digest.update(data)
            stream.write(data)
        stream.seek(0)
        stream.write(encode_header(spans, with_digests(spans, metadata, digest.hexdigest())))


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())  # type: ignore[arg-type]
