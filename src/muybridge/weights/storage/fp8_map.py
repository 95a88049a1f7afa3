"""The released fp8: `X_fp8.pt` with the weights of the blocks in e4m3, `X_fp8_map.pt` with one scale per layer."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import FP8
from muybridge.weights import pickles
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage.companions import Entries
from muybridge.weights.storage.scales import scaled_tensor
from muybridge.weights.stored import StoredTensor, from_tensor

SCHEME = "fp8 with a map"


def map_path(path: Path) -> Path:
    """Where the scales of the weights at `path` lie."""
    return path.with_name(f"{path.stem}_map{path.suffix}")


def fold(checkpoint: Checkpoint) -> Checkpoint:
    """Every fp8 matrix times its scale from the map beside the file; layers in no block have none.

    Raises WeightsError where a PyTorch file holds fp8 matrices without a map, or the map and the file disagree.
    """
    matrices = [key for key, entry in checkpoint.entries.items() if entry.dtype in FP8 and len(entry.shape) == 2]
    if not matrices:
        return checkpoint
    file = map_path(checkpoint.path)
    if not file.is_file():
        if _is_pickle(checkpoint.path):
            raise WeightsError(
                f"{checkpoint.path}: {matrices[0]!r} is fp8, and {file.name} with its scale is missing; "
                "put it beside the weights."
            )
        return checkpoint
    scales = pickles.read_pickle(file, key="module")
    entries = dict(checkpoint.entries)
    for layer, scale in scales.items():
        key = f"{layer}.weight"
        entries[key] = scaled_tensor(key, _parts(entries, key, scale, file), scheme=SCHEME)
    unscaled = [key for key in matrices if entries[key].packed is None]
    if unscaled:
        raise WeightsError(f"{file}: has no scale for {unscaled[0]!r}, which is fp8; use the map of this file.")
    return replace(checkpoint, entries=entries, files=(*checkpoint.files, file))


def _parts(entries: Entries, key: str, scale: Tensor, file: Path) -> Mapping[str, StoredTensor]:
    if key not in entries or entries[key].dtype not in FP8:
        fault = "is not fp8" if key in entries else "is missing"
        raise WeightsError(f"{file}: gives a scale for {key!r}, which {fault}; use the map of this file.")
    return {"weight": entries[key], "scale": from_tensor(scale, file)}


def _is_pickle(path: Path) -> bool:
    with path.open("rb") as file:
        return pickles.is_pickle(file.read(32))
