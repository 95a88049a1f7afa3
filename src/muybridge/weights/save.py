"""Safetensors written tensor by tensor, with the config and checksums in the metadata."""

import hashlib
import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from muybridge.core.config import to_dict
from muybridge.core.errors import InvalidInput, WeightsError, invalid
from muybridge.core.files import OnBytes, atomic_path
from muybridge.transformer import Transformer
from muybridge.vae import ShuffleVAE, VideoVAE
from muybridge.weights.configs import CONFIG_KEY, KIND_KEY
from muybridge.weights.header import (
    ALIGNMENT,
    DATA_DIGEST,
    DTYPES,
    Span,
    encode_header,
    read_header,
    with_blank_digests,
    with_digests,
)
from muybridge.weights.layouts import stripped
from muybridge.weights.stored import StoredTensor, cast, from_tensor


def save_model(
    model: Transformer | VideoVAE | ShuffleVAE,
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
    kind = "transformer" if isinstance(model, Transformer) else "vae"
    write_safetensors(path, entries, metadata={**(metadata or {}), **own_metadata(model.config, kind)})


def save_tensors(tensors: Mapping[str, Tensor], path: str | Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write named tensors as one safetensors file that carries checksums; whole or not at all.

    Raises InvalidInput where the file cannot be written.
    """
    path = Path(path)
    write_safetensors(
        path, {key: from_tensor(tensor, path) for key, tensor in tensors.items()}, metadata=metadata or {}
    )


def own_metadata(config: Any, kind: str) -> dict[str, str]:
    """What our files say about themselves beside their checksums."""
    return {"format": "pt", KIND_KEY: kind, CONFIG_KEY: json.dumps(to_dict(config))}


def write_safetensors(path: Path, entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str]) -> None:
    """Stream entries into a safetensors file; at most two of them are in memory at a time.

    Raises InvalidInput where the file cannot be written or a value has no place in the format.
    """
    for key, value in metadata.items():
        if not isinstance(value, str):
            raise invalid(f"metadata {key}={value!r}", "safetensors keeps strings only", "write it as a string")
    with atomic_path(path) as temporary:
        stream_safetensors(temporary, entries, metadata=metadata, name=path)


def stream_safetensors(
    file: Path,
    entries: Mapping[str, StoredTensor],
    *,
    metadata: Mapping[str, str],
    on_bytes: OnBytes | None = None,
    name: Path | None = None,
) -> None:
    """Write entries into `file`, or continue what an earlier call with the same entries left unfinished there.

    What the file holds already is compared byte by byte and kept as far as it agrees. Digests are known only at the
    end: their place is kept in the header and filled then, so a file without them is unfinished. name: what errors
    call the file.
    """
    file.touch()
    try:
        _stream(file, entries, metadata=metadata, on_bytes=on_bytes or _unheard)
    except OSError as error:
        raise InvalidInput(
            f"{name or file}: cannot be written ({error.strerror}); free space or choose another folder."
        ) from None


def _stream(file: Path, entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str], on_bytes: OnBytes) -> None:
    spans, digest = _spans(entries), hashlib.sha256()
    with file.open("r+b") as stream, ThreadPoolExecutor(max_workers=2) as beside:
        is_kept = _keep_or_write(stream, memoryview(encode_header(spans, with_blank_digests(metadata))), is_kept=True)
        for data in _read_ahead((entries[key] for key in spans), beside):
            hashing = beside.submit(digest.update, data)  # frees the interpreter lock, as writing does
            is_kept = _keep_or_write(stream, data, is_kept=is_kept)
            hashing.result()
            on_bytes(len(data))
            del data, hashing  # before the one after the next is read
        stream.truncate()
        stream.seek(0)
        stream.write(encode_header(spans, with_digests(spans, metadata, digest.hexdigest())))
        stream.flush()
        os.fsync(stream.fileno())


def _read_ahead(entries: Iterable[StoredTensor], beside: Executor) -> Iterator[memoryview]:
    """The bytes of each entry; the next one is read, and cast, while the caller is at work. Keeps none it has given."""
    ahead: deque[Future[memoryview]] = deque()
    for entry in entries:
        ahead.append(beside.submit(lambda entry=entry: _bytes(entry.read())))
        if len(ahead) > 1:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def _unheard(_count: int) -> None:
    pass


def is_finished(file: Path, entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str]) -> bool:
    """Whether `stream_safetensors` of these entries and metadata came to its end in this file; reads the header."""
    try:
        header = read_header(file)
    except (FileNotFoundError, WeightsError):
        return False
    spans = _spans(entries)
    return header.spans == spans and header.metadata == with_digests(
        spans, metadata, header.metadata.get(DATA_DIGEST, "")
    )


def stored_bytes(entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str]) -> int:
    """Size of the file that these entries and metadata become."""
    header = encode_header(_spans(entries), with_blank_digests(metadata))
    return len(header) + sum(entry.num_bytes for entry in entries.values())


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


def _keep_or_write(stream: IO[bytes], data: memoryview, *, is_kept: bool) -> bool:
    """Go on behind `data`, and whether it was there: written where it or anything before it (`is_kept`) was not.

    The first difference drops all that follows.
    """
    if is_kept:
        start = stream.tell()
        if stream.read(len(data)) == data:
            return True
        stream.seek(start)
        stream.truncate()
    stream.write(data)
    return False


def _bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())  # type: ignore[arg-type]
