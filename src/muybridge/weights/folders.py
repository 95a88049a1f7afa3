"""Which file of a folder holds the weights; names only choose candidates, the content decides the format."""

from pathlib import Path
from typing import Literal

from muybridge.core.errors import WeightsError

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".gguf")
_PLACES = {  # where a pipeline folder keeps each part: diffusers, the released tree, ours
    "transformer": (
        "transformer", "transformers", "hunyuan-video-t2v-720p/transformers", "hunyuan-video-t2v-720p/transformer",
        "transformer.safetensors",
    ),
    "vae": ("vae", "hunyuan-video-t2v-720p/vae", "vae.safetensors"),
}  # fmt: skip


def components(folder: Path) -> dict[str, Path]:
    """The parts of a pipeline folder by name; empty where the folder is a single part."""
    found = {}
    for name, places in _PLACES.items():
        for place in places:
            if (folder / place).exists():
                found[name] = folder / place
                break
    return found


def component_path(path: Path, component: Literal["transformer", "vae"] | None) -> Path:
    """`path`, or the wanted part of the pipeline folder that it is.

    Raises WeightsError where a pipeline lacks the part, or no part was named.
    """
    parts = components(path) if path.is_dir() else {}
    if not parts:
        return path
    if component is None:
        raise WeightsError(f"{path}: holds several models; give one of {', '.join(map(str, parts.values()))}.")
    if component not in parts:
        raise WeightsError(f"{path}: holds no {component}; it has {', '.join(parts)}.")
    return parts[component]


def weight_file(folder: Path, key: str) -> Path:
    """The index or the single file with the weights in a folder.

    Raises WeightsError where there is none, or more than one to choose from.
    """
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if indices:
        return _only(folder, indices)
    released = [f"pytorch_model_{key}.pt", "mp_rank_00_model_states.pt", "pytorch_model.pt"]
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    safe = [file for file in files if file.suffix == ".safetensors"]
    named = [folder / name for name in released if (folder / name) in files]
    candidates = safe or named[:1] or [file for file in files if not file.stem.endswith("_map")]
    if not candidates:
        raise WeightsError(f"{folder}: no weights here; put a .safetensors or released .pt file in it.")
    return _only(folder, candidates)


def _only(folder: Path, files: list[Path]) -> Path:
    if len(files) > 1:
        raise WeightsError(f"{folder}: {len(files)} files could be meant; give one of {_listed(files)}.")
    return files[0]


def _listed(files: list[Path]) -> str:
    names = [file.name for file in files]
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
