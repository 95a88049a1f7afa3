"""A scale beside each weight: fp8_scaled (Kijai, ComfyUI), ComfyUI's quantised layers, ModelOpt, musubi-tuner.

Sources: ComfyUI's QUANTIZATION.md, and the names that files in use have.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import FP8
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.json_map import json_map
from muybridge.weights.storage.companions import REMEDY, Entries, grouped, read_json, required
from muybridge.weights.storage.micro import MICRO, form_of, micro_tensor
from muybridge.weights.storage.scales import scaled_tensor
from muybridge.weights.stored import StoredTensor, viewed

MARKER = "scaled_fp8"  # an empty tensor that says so
METADATA = "_quantization_metadata"
SUFFIXES = {  # of a layer's name: what it is
    ".fp8_scale": "scale",  # Kijai's first files
    ".scale_weight": "scale",  # ComfyUI's first, musubi-tuner
    ".weight_scale": "scale",  # ComfyUI, ModelOpt
    ".weight_scale_inv": "scale",  # square blocks; a factor in spite of its name
    ".scale_weight_tensor": "outer_scale",  # musubi-tuner's blocks of 16
    ".weight_scale_2": "outer_scale",  # nvfp4
    ".scale_input": "input_scale",
    ".input_scale": "input_scale",
    ".pre_quant_scale": "column_scale",
    ".comfy_quant": "recipe",
}
FORMATS = {  # of ComfyUI: what the weight is stored as
    "float8_e4m3fn": torch.float8_e4m3fn,
    "float8_e4m3fn_rowwise": torch.float8_e4m3fn,
    "float8_e4m3fn_blockwise": torch.float8_e4m3fn,
    "float8_e5m2": torch.float8_e5m2,
    "int8_tensorwise": torch.int8,
    "int8_blockwise": torch.int8,
}
_QUANTISED = (*FP8, torch.int8)


def fold(checkpoint: Checkpoint) -> Checkpoint:
    """Every weight with a scale beside it; markers, recipes and the scales of activations are consumed.

    Raises WeightsError where a scale lacks its weight, a matrix its scale, or a recipe is of an unknown format.
    """
    entries = dict(checkpoint.entries)
    groups = grouped(entries, SUFFIXES)
    markers = [key for key in entries if key.rpartition(".")[2] == MARKER]
    recipes = _recipes(checkpoint, groups)
    if not (groups or markers or recipes):
        return checkpoint
    for layer in {**groups, **recipes}:
        key, roles = f"{layer}.weight", groups.get(layer, {})
        weight, recipe = required(entries, key, of=next(iter(roles.values()), key)), recipes.get(layer)
        parts = {role: entries.pop(name) for role, name in roles.items() if role != "recipe"} | {"weight": weight}
        form = form_of(parts, recipe)
        if form is not None:
            entries[key] = micro_tensor(key, parts, form, is_tiled=recipe is not None)
            continue
        parts["weight"] = weight = _typed(key, weight, recipe)
        entries[key] = scaled_tensor(key, parts, scheme=_scheme(weight.dtype)) if "scale" in parts else weight
    _check_scales(entries, groups)
    for key in (*markers, *(roles["recipe"] for roles in groups.values() if "recipe" in roles)):
        del entries[key]
    metadata = {name: value for name, value in checkpoint.metadata.items() if name != METADATA}
    return replace(checkpoint, entries=entries, metadata=metadata)


def _scheme(dtype: torch.dtype) -> str:
    return "int8 scaled" if dtype == torch.int8 else "fp8 scaled"


def _check_scales(entries: Entries, groups: Mapping[str, Mapping[str, str]]) -> None:
    """Linear layers have scales, or they would be read as something else; convolutions and vectors may be mere fp8."""
    names = [roles["scale"] for roles in groups.values() if "scale" in roles]
    suffix = f".{names[0].rpartition('.')[2]}" if names else ".scale_weight"
    for key, entry in entries.items():
        if entry.dtype in (*_QUANTISED, torch.uint8) and len(entry.shape) == 2:
            scale = key.removesuffix(".weight") + suffix
            raise WeightsError(f"{entry.file}: lacks {scale!r}, the scale of {key!r}; {REMEDY}.")


def _recipes(checkpoint: Checkpoint, groups: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, Any]]:
    """ComfyUI's recipe of each layer, from its companion or from the file's metadata."""
    entries = checkpoint.entries
    found: dict[str, Mapping[str, Any]] = {
        layer: read_json(entries[roles["recipe"]], roles["recipe"])
        for layer, roles in groups.items()
        if "recipe" in roles
    }
    if METADATA not in checkpoint.metadata:
        return found
    where = f"{checkpoint.path}: {METADATA} in its metadata"
    layers = json_map(checkpoint.metadata[METADATA], where).get("layers")
    if not isinstance(layers, dict):
        raise WeightsError(f"{where} names no layers; {REMEDY}.")
    for layer, recipe in layers.items():
        place = next((name for name in (layer, f"model.diffusion_model.{layer}") if f"{name}.weight" in entries), None)
        if place is None:
            raise WeightsError(f"{where} names the layer {layer!r}, which is missing; {REMEDY}.")
        found[place] = recipe if isinstance(recipe, dict) else {"format": recipe}
    return found


def _typed(key: str, weight: StoredTensor, recipe: Mapping[str, Any] | None) -> StoredTensor:
    """The weight in the dtype that its recipe gives it: fp8 may lie in uint8."""
    name = recipe.get("format") if recipe else None
    name = name if name is None or isinstance(name, str) else str(name)
    if recipe and (name not in FORMATS or recipe.get("convrot")):
        given = f"{name!r} with rotated weights" if name in FORMATS else repr(name)
        known = ", ".join((*FORMATS, *MICRO))
        raise WeightsError(f"{weight.file}: {key!r} has the format {given}; only {known} are read.")
    dtype = FORMATS[name] if name else weight.dtype
    if weight.dtype == torch.uint8 and dtype.itemsize == 1:
        return viewed(weight, weight.shape, dtype)
    if weight.dtype != dtype or dtype not in _QUANTISED:
        given = str(weight.dtype).removeprefix("torch.")
        raise WeightsError(f"{weight.file}: {key!r} has a scale but is {given}; {REMEDY}.")
    return weight
