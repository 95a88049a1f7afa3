"""Weights quantised on the way to a file: entries to entries, each made when it is written; what is so already stays.

Only the linear layers of the blocks are quantised, as in the released fp8: the first and last layers and the
embeddings are small, and what they lose is seen.
"""

import functools
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.ops.codes import FP8, NF4, in_pairs, nf4_codes
from muybridge.weights.save import write_safetensors
from muybridge.weights.storage.bnb import named_parts
from muybridge.weights.storage.companions import Entries
from muybridge.weights.storage.fp8_map import map_path
from muybridge.weights.storage.scaled import MARKER
from muybridge.weights.storage.scales import is_factor
from muybridge.weights.stored import StoredTensor, from_tensor

E4M3_MAX, INT8_MAX = 448.0, 127
NF4_BLOCK = 64  # bitsandbytes' own
_LAYER = re.compile(r"(?:^|[._])(?:double_blocks|single_blocks|transformer_blocks|layers)\.\d+\..*weight$")
_CARRIED = {"weight", "scale", "outer_scale", "input_scale"}  # what the names of fp8_scaled can say


def is_block_linear(key: str, stored: StoredTensor) -> bool:
    """Whether an entry is the weight of a linear layer in one of the network's blocks."""
    return len(stored.shape) == 2 and _LAYER.search(key) is not None


def fp8_scaled(entries: Entries, *, per_row: bool = False) -> dict[str, StoredTensor]:
    """The entries as ComfyUI's fp8_scaled: e4m3 beside `.scale_weight`, one value or one per row, and the marker.

    What is fp8 already, scaled or not, keeps every bit and its own scales.
    """
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        parts = _fp8_parts(entry) or (_quantised(entry, per_row=per_row) if is_block_linear(key, entry) else None)
        result[key] = parts["weight"] if parts else entry
        layer = key.removesuffix(".weight")
        for role, suffix in (("scale", "scale_weight"), ("input_scale", "scale_input")):
            if parts and role in parts:
                result[f"{layer}.{suffix}"] = parts[role]
    file = next(iter(entries.values())).file if entries else Path()
    marker = MARKER if MARKER not in entries else f"{MARKER}.{MARKER}"
    return {**result, marker: from_tensor(torch.empty(0, dtype=torch.float8_e4m3fn), file)}


def int8_rows(entries: Entries) -> dict[str, StoredTensor]:
    """The entries as optimum-quanto's int8: `._data` and `._scale` of each row, and scales of 1 for activations.

    What is so already keeps every bit.
    """
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        parts = _int8_parts(entry) or (_int8(entry) if is_block_linear(key, entry) else None)
        if parts is None:
            result[key] = entry
            continue
        layer, one = key.removesuffix(".weight"), from_tensor(torch.ones(()), entry.file)
        result |= {f"{key}._data": parts["weight"], f"{key}._scale": parts["scale"]}
        result |= {f"{layer}.input_scale": one, f"{layer}.output_scale": one}
    return result


def nf4(entries: Entries) -> dict[str, StoredTensor]:
    """The entries as bitsandbytes' nf4, the largest value of each block of 64 in float32."""
    result: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        if is_block_linear(key, entry):
            result |= named_parts(key, _nf4_parts(entry), like=entry, block=NF4_BLOCK)
        else:
            result[key] = entry
    return result


def fp8_with_map(entries: Entries) -> tuple[dict[str, StoredTensor], dict[str, StoredTensor]]:
    """The entries as the released fp8, and the map of scales by layer that lies beside it.

    What is e4m3 with one scale already keeps every bit. Raises InvalidInput where a scale is not one for the tensor,
    which this format cannot keep.
    """
    weights: dict[str, StoredTensor] = {}
    scales: dict[str, StoredTensor] = {}
    for key, entry in entries.items():
        parts = (_fp8_parts(entry) or _quantised(entry, per_row=False)) if is_block_linear(key, entry) else None
        weights[key] = parts["weight"] if parts else entry
        if parts and parts["scale"].num_elements != 1:
            given = f"{entry.file}: {key!r} with a scale of shape {parts['scale'].shape}"
            raise invalid(given, "the released fp8 keeps one scale per tensor", "write fp8_scaled, or from bfloat16")
        if parts:
            scales[key.removesuffix(".weight")] = _reshaped(parts["scale"], ())
    return weights, scales


def save_fp8_with_map(entries: Entries, path: Path, *, wrapper: str = "module") -> None:
    """Write the released fp8: `path` (.pt) with the weights under `wrapper`, and its map beside it.

    torch.save wants all tensors at once: they are written to a file first and mapped from there.
    Raises InvalidInput as `fp8_with_map`, or where the files cannot be written.
    """
    weights, scales = fp8_with_map(entries)
    with atomic_path(map_path(path)) as map_file, atomic_path(path) as file:
        torch.save({layer: scale.read() for layer, scale in scales.items()}, map_file)
        with tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
            mapped = Path(folder) / "weights.safetensors"
            write_safetensors(mapped, weights, metadata={})
            with safe_open(mapped, framework="pt", device="cpu") as source:
                torch.save({wrapper: {key: source.get_tensor(key) for key in weights}}, file)


def fp8_cast(entries: Entries, *, dtype: torch.dtype = torch.float8_e4m3fn) -> dict[str, StoredTensor]:
    """The entries with the blocks' linear layers in fp8, rounded, not scaled; what is over the largest is cut off."""
    largest = torch.finfo(dtype).max

    def rounded(stored: StoredTensor) -> StoredTensor:
        def read() -> Tensor:
            return stored.read().float().clamp(-largest, largest).to(dtype)

        return replace(stored, dtype=dtype, read=read, packed=None)

    return {key: rounded(entry) if is_block_linear(key, entry) else entry for key, entry in entries.items()}


def _fp8_parts(stored: StoredTensor) -> Mapping[str, StoredTensor] | None:
    """Weight and scale of what is fp8 already; None for all else."""
    packed = stored.packed
    if packed is None or packed.parts["weight"].dtype not in FP8 or not packed.parts.keys() <= _CARRIED:
        return None
    parts = dict(packed.parts)
    if not all(is_factor(part) for role, part in parts.items() if role != "weight"):  # exponents, of mxfp8
        return None
    if "scale" not in parts:
        return parts | {"scale": from_tensor(torch.ones(()), stored.file)}
    inner, outer = parts["scale"], parts.pop("outer_scale", None)
    if outer is None:
        return parts

    def product() -> Tensor:
        return inner.read().float() * outer.read().float().reshape(())

    return parts | {"scale": replace(inner, dtype=torch.float32, read=product)}


def _quantised(stored: StoredTensor, *, per_row: bool) -> dict[str, StoredTensor]:
    """Weight and scale, so that the largest value of the tensor or row becomes the largest of e4m3."""

    @functools.cache
    def scale() -> Tensor:
        magnitude = stored.read().float().abs()
        largest = magnitude.amax(dim=1, keepdim=True) if per_row else magnitude.amax()
        return torch.where(largest > 0, largest / E4M3_MAX, 1.0)

    def weight() -> Tensor:
        return (stored.read().float() / scale()).clamp(-E4M3_MAX, E4M3_MAX).to(torch.float8_e4m3fn)

    shape = (stored.shape[0], 1) if per_row else ()
    return {
        "weight": replace(stored, dtype=torch.float8_e4m3fn, read=weight, packed=None),
        "scale": StoredTensor(shape=shape, dtype=torch.float32, file=stored.file, read=scale),
    }


def _int8_parts(stored: StoredTensor) -> Mapping[str, StoredTensor] | None:
    """Codes and scales of what is int8 with one scale per row already; None for all else."""
    parts = stored.packed.parts if stored.packed is not None else {}
    is_int8 = parts.keys() == {"weight", "scale"} and parts["weight"].dtype == torch.int8
    return parts if is_int8 and parts["scale"].shape == (stored.shape[0], 1) else None


def _int8(stored: StoredTensor) -> dict[str, StoredTensor]:
    @functools.cache
    def scale() -> Tensor:
        largest = stored.read().float().abs().amax(dim=1, keepdim=True)
        return torch.where(largest > 0, largest / INT8_MAX, 1.0).to(dtype)

    def weight() -> Tensor:
        return (stored.read().float() / scale().float()).round_().clamp_(-INT8_MAX, INT8_MAX).to(torch.int8)

    dtype = stored.dtype
    return {
        "weight": replace(stored, dtype=torch.int8, read=weight, packed=None),
        "scale": StoredTensor(shape=(stored.shape[0], 1), dtype=dtype, file=stored.file, read=scale),
    }


def _nf4_parts(stored: StoredTensor) -> dict[str, StoredTensor]:
    num_blocks = -(-stored.num_elements // NF4_BLOCK)

    def blocks() -> Tensor:
        values = stored.read().float().flatten()
        return F.pad(values, (0, -len(values) % NF4_BLOCK)).unflatten(0, (num_blocks, NF4_BLOCK))

    @functools.cache
    def largest() -> Tensor:
        return blocks().abs().amax(dim=1)

    def weight() -> Tensor:
        scaled = blocks() / largest().clamp(min=torch.finfo(torch.float32).tiny)[:, None]
        return in_pairs(nf4_codes(scaled).flatten()[: stored.num_elements])[:, None]

    made = functools.partial(StoredTensor, file=stored.file)
    return {
        "weight": made(shape=(-(-stored.num_elements // 2), 1), dtype=torch.uint8, read=weight),
        "absmax": made(shape=(num_blocks,), dtype=torch.float32, read=largest),
        "table": from_tensor(torch.tensor(NF4), stored.file),
    }


def _reshaped(stored: StoredTensor, shape: tuple[int, ...]) -> StoredTensor:
    return replace(stored, shape=shape, read=lambda: stored.read().reshape(shape), packed=None)
