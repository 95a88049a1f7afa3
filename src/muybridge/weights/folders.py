"""Which file of a folder holds the weights; names only choose candidates, the content decides the format."""

import re
from collections.abc import Mapping
from pathlib import Path

from muybridge.core.errors import WeightsError, invalid
from muybridge.weights.layouts import Kind

_LATER_PART = re.compile(r".+-(?!00001)\d{5}-of-\d{5}\.gguf")  # of a split GGUF, which its first part stands for
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf")
_INDEX = ".safetensors.index.json"
_PLACES: Mapping[Kind, tuple[str, ...]] = {  # where a pipeline keeps each part: diffusers, the released tree, ours
    "transformer": (
        "transformer", "transformers", "hunyuan-video-t2v-720p/transformers", "hunyuan-video-t2v-720p/transformer",
        "hunyuan-video-i2v-720p/transformers", "transformer.safetensors",
    ),
    "vae": ("vae", "hunyuan-video-t2v-720p/vae", "hunyuan-video-i2v-720p/vae", "vae.safetensors"),
    "text-encoder": ("text_encoder", "text_encoder_i2v"),
    "pooled-text-encoder": ("text_encoder_2",),
}  # fmt: skip


def components(folder: Path) -> dict[Kind, Path]:
    """The parts of a pipeline folder, the first place of each that has weights; empty where it is a single part."""
    found: dict[Kind, Path] = {}
    for kind, places in _PLACES.items():
        for place in (folder / name for name in places):
            if place.is_file() or _has_weights(place) or variants(place):
                found.setdefault(kind, place)
    return found


def variants(folder: Path) -> list[Path]:
    """The models side by side in a folder without weights of its own, such as HunyuanVideo-1.5's `transformer`."""
    if not folder.is_dir() or _has_weights(folder):
        return []
    return sorted(each for each in folder.iterdir() if _has_weights(each))


def models(path: Path) -> list[Path]:
    """Where every model of a pipeline folder is, or of the part or file that `path` is."""
    parts = list(components(path).values()) or [path]
    return [model for part in parts for model in variants(part) or [part]]


def component_path(path: Path, component: Kind | None) -> Path:
    """`path`, or the wanted or only part of the pipeline folder that it is.

    Raises WeightsError where a pipeline lacks the part, no part was named, or there are several models of it.
    """
    parts = components(path)
    if not parts:
        return _only(path, variants(path) or [path])
    if component is None and len(parts) == 1:
        (component,) = parts
    if component is None:
        raise WeightsError(f"{path}: holds several models; give one of {', '.join(map(str, parts.values()))}.")
    if component not in parts:
        raise WeightsError(f"{path}: holds no {component}; it has {', '.join(parts)}.")
    return _only(parts[component], variants(parts[component]) or [parts[component]])


def named_part(path: Path, name: str) -> tuple[Path, Kind | None]:
    """What a user means by a part: a kind of network is itself, a model's folder (480p_t2v) is where it lies.

    Raises InvalidInput where there is none such, with what there is.
    """
    kinds: Mapping[str, Kind] = {kind: kind for kind in _PLACES}
    if name in kinds:
        return path, kinds[name]
    found = {model.name: model for model in models(path) if model != path}
    if name not in found:
        raise invalid(f"part={name}", "is no part of it", f"use one of {', '.join(dict.fromkeys([*_PLACES, *found]))}")
    return found[name], None


def _has_weights(folder: Path) -> bool:
    return folder.is_dir() and any(file.name.endswith((*SUFFIXES, _INDEX)) for file in folder.iterdir())


def weight_file(folder: Path, key: str) -> Path:
    """The index or the single file with the weights in a folder.

    Raises WeightsError where there is none, or more than one to choose from.
    """
    indices = sorted(folder.glob(f"*{_INDEX}"))
    if indices:
        return _only(folder, indices)
    released = [f"pytorch_model_{key}.pt", "mp_rank_00_model_states.pt", "pytorch_model.pt"]
    found = (file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    files = sorted(file for file in found if not _LATER_PART.fullmatch(file.name))
    safe = [file for file in files if file.suffix == ".safetensors"]
    named = [folder / name for name in released if (folder / name) in files]
    candidates = safe or named[:1] or [file for file in files if not file.stem.endswith("_map")]
    if not candidates:
        raise WeightsError(f"{folder}: no weights here; put a .safetensors or released .pt file in it.")
    return _only(folder, candidates)


def _only(folder: Path, files: list[Path]) -> Path:
    if len(files) > 1:
        raise WeightsError(f"{folder}: {len(files)} models could be meant; give one of {_listed(files)}.")
    return files[0]


def _listed(files: list[Path]) -> str:
    names = [file.name for file in files]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
