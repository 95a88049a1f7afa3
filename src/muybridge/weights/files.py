"""Any checkpoint people have on disk as one lazy, memory-mapped mapping from key to tensor."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from muybridge.core.errors import WeightsError
from muybridge.weights import header as safetensors_header
from muybridge.weights import pickles
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.folders import component_path, weight_file
from muybridge.weights.in_file import ByPosition, InFile, Piece
from muybridge.weights.json_map import json_map
from muybridge.weights.layouts import Kind
from muybridge.weights.mapped_file import map_tensors
from muybridge.weights.storage import gguf_header
from muybridge.weights.storage.gguf import open_gguf
from muybridge.weights.stored import MappedTensors, StoredTensor

Component = Literal["transformer", "vae"]
_INDEX_MAX_BYTES = 100_000_000
_FOREIGN = (  # what else people point a loader at: from which byte on, which bytes, what it is and what to do
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the weights; run `git lfs pull`"),
    (0, b"<!DOCTYPE", "is a web page, not weights; download the file itself"),
    (0, b"<html", "is a web page, not weights; download the file itself"),
    (0, b"\x89PNG", "is a PNG picture, not weights; give the weights themselves"),
    (0, b"\xff\xd8\xff", "is a JPEG picture, not weights; give the weights themselves"),
    (0, b"GIF8", "is a GIF picture, not weights; give the weights themselves"),
    (8, b"WEBP", "is a WebP picture, not weights; give the weights themselves"),
    (4, b"ftyp", "is a film, not weights; give the weights themselves"),
    (0, b"%PDF", "is a PDF, not weights; give the weights themselves"),
    (0, b"\x1f\x8b", "is a gzip archive, not weights; unpack it"),
    (0, b"7z\xbc\xaf", "is a 7z archive, not weights; unpack it"),
    (0, b"\x93NUMPY", "is a NumPy array, not weights; save them as safetensors"),
)
_START_BYTES = 64


def open_checkpoint(
    path: str | Path, *, component: Kind | None = None, key: str = "module", verify: bool = False
) -> Checkpoint:
    """The checkpoint at `path`: safetensors, one file, sharded or in a folder; a released `.pt`; a diffusers folder.

    component: which part to open where the folder is a whole pipeline.
    key: the entry of a released `.pt` to take, `module` or `ema`.
    verify: compare the files with the checksums they carry (ours, and those of `.pt`); reads every byte.
    Raises WeightsError, naming the file and the key, on anything damaged, unsafe or unknown.
    """
    given = Path(path).expanduser()
    try:
        checkpoint = _open(given, component=component, key=key)
        if verify:
            checkpoint.verify()
        return checkpoint
    except OSError as error:
        raise WeightsError(f"{error.filename or given}: cannot be read ({error.strerror}); check the path.") from None


def _open(given: Path, *, component: Kind | None, key: str) -> Checkpoint:
    if not given.exists():
        raise WeightsError(f"{given}: no such file or folder; check the path.")
    found = component_path(given, component)
    folder = found if found.is_dir() else found.parent
    file = weight_file(found, key) if found.is_dir() else found
    if not file.is_file():
        raise WeightsError(f"{file}: is a pipe, a device or a folder, not a file; give the weights themselves.")
    config = _config_beside(folder)
    if _is_index(file):
        return replace(_open_sharded(file), config=config)
    checkpoint = _open_file(file, key=key)
    return checkpoint if config is None else replace(checkpoint, config=config)


def _is_index(file: Path) -> bool:
    """Whether a file is JSON, which holds no zero byte; the length before a safetensors header always does."""
    with file.open("rb") as stream:
        start = stream.read(_START_BYTES)
    return b"\0" not in start[:8] and start.lstrip().startswith(b"{")


def _open_file(file: Path, *, key: str) -> Checkpoint:
    with file.open("rb") as stream:
        start = stream.read(_START_BYTES)
    if not start:
        raise WeightsError(f"{file}: is empty; download it again.")
    if pickles.is_pickle(start):
        return _open_pickle(file, key=key)
    if start.startswith(gguf_header.MAGIC):
        return open_gguf(file)
    for place, magic, explanation in _FOREIGN:
        if start[place:].startswith(magic):
            raise WeightsError(f"{file}: {explanation}.")
    if start.isascii() and start.decode().replace("\n", " ").replace("\t", " ").isprintable():
        raise WeightsError(f"{file}: is a text, not weights; give the weights themselves.")
    if start[8:9] != b"{" and file.suffix != ".safetensors":
        raise WeightsError(f"{file}: neither safetensors, GGUF nor a PyTorch file; give one of these.")
    return _open_safetensors(file)


def _open_pickle(file: Path, *, key: str) -> Checkpoint:
    if file.suffix == ".safetensors":
        raise WeightsError(f"{file}: is a PyTorch pickle, not safetensors; get the real file, or name it .pt.")
    tensors = pickles.read_pickle(file, key=key)
    source = MappedTensors(
        lambda: pickles.read_pickle(file, key=key).__getitem__,
        verify=lambda on_bytes: pickles.verify(file, on_bytes=on_bytes),
    )
    entries = {
        name: StoredTensor(shape=tuple(tensor.shape), dtype=tensor.dtype, file=file, read=partial(source.tensor, name))
        for name, tensor in tensors.items()
    }
    return _checkpoint(file, source, entries, metadata={})


def _open_safetensors(file: Path) -> Checkpoint:
    header = safetensors_header.read_header(file)
    source = MappedTensors(
        lambda: map_tensors(file, header),
        verify=lambda on_bytes: safetensors_header.verify(file, header, on_bytes=on_bytes),
    )
    on_disk, first = ByPosition(file), header.data_start
    entries = {}
    for name, span in header.spans.items():
        place = Piece(on_disk, first + span.start, first + span.stop)
        read = InFile(partial(source.tensor, name), span.dtype, (place,))
        entries[name] = StoredTensor(shape=span.shape, dtype=span.dtype, file=file, read=read)
    return _checkpoint(file, source, entries, metadata=header.metadata)


def _checkpoint(
    file: Path, source: MappedTensors, entries: Mapping[str, StoredTensor], *, metadata: Mapping[str, str]
) -> Checkpoint:
    return Checkpoint(path=file, entries=entries, metadata=metadata, config=None, files=(file,), sources=(source,))


def _open_sharded(index: Path) -> Checkpoint:
    weight_map = _weight_map(index)
    shards: dict[str, Checkpoint] = {}
    for name in sorted(set(weight_map.values())):
        file = _shard_path(index, name)
        shards[name] = _open_file(file, key="module")
    entries: dict[str, StoredTensor] = {}
    for name, shard in shards.items():
        for key, entry in shard.entries.items():
            if weight_map.get(key) != name:
                place = f"in {weight_map[key]}" if key in weight_map else "nowhere"
                raise WeightsError(
                    f"{index.parent / name}: holds {key!r}, which {index.name} places {place}; download it again."
                )
            entries[key] = entry
    for key, name in weight_map.items():
        if key not in entries:
            raise WeightsError(f"{index.parent / name}: lacks {key!r}, which {index.name} promises; download it again.")
    metadata = _common([shard.metadata for shard in shards.values()])
    files = (index, *(shard.path for shard in shards.values()))
    sources = tuple(source for shard in shards.values() for source in shard.sources)
    return Checkpoint(path=index, entries=entries, metadata=metadata, config=None, files=files, sources=sources)


def _weight_map(index: Path) -> dict[str, str]:
    fields = _read_json(index)
    weight_map = fields.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise WeightsError(f"{index}: is JSON without a weight_map; give the *.safetensors.index.json or the folder.")
    for key, name in weight_map.items():
        if not isinstance(name, str) or name in ("", "..") or Path(name).name != name or "\\" in name:
            raise WeightsError(f"{index}: places {key!r} in {name!r}; a shard is a plain file name in the same folder.")
    return weight_map


def _shard_path(index: Path, name: str) -> Path:
    file = index.parent / name
    if not file.is_file():
        raise WeightsError(f"{index}: its shard {name!r} is missing; download it.")
    if _is_index(file):
        raise WeightsError(f"{file}: a shard of {index.name} is JSON, not weights; download it again.")
    return file


def _config_beside(folder: Path) -> dict[str, Any] | None:
    file = folder / "config.json"
    return _read_json(file) if file.is_file() else None


def _read_json(file: Path) -> dict[str, Any]:
    if file.stat().st_size > _INDEX_MAX_BYTES:
        raise WeightsError(f"{file}: is over {_INDEX_MAX_BYTES} bytes, too large for JSON; download it again.")
    return json_map(file.read_bytes(), f"{file}:")


def _common(metadata: list[Mapping[str, str]]) -> dict[str, str]:
    """What all shards say; their digests differ and belong to each."""
    first, *others = metadata
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in others)}
