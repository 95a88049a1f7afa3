"""LLaVA's eyes, which lie beside its language model: the vision tower and the projector."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from muybridge.core.errors import WeightsError
from muybridge.text.config import VisionConfig
from muybridge.text.vision import PictureTower
from muybridge.weights.accounting import check_entries
from muybridge.weights.configs import Shapes, built
from muybridge.weights.files import open_checkpoint
from muybridge.weights.layouts import Entries
from muybridge.weights.recognise import recognise
from muybridge.weights.stored import cast

_TOWER, _NESTED = "vision_tower.", "vision_tower.vision_model."  # with and without the class that older files name
_PARTS = (_TOWER, "multi_modal_projector.")
_HEAD_DIM = 64  # of every CLIP vision tower published
_FEATURES = {
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
}  # what LLaVA-Llama-3 was made with
_REMEDY = "put the whole LLaVA into text_encoder_i2v, as released, or into text_encoder, as diffusers has it"


def has_eyes(path: Path) -> bool:
    """Whether a language model's file or folder has a vision tower beside it."""
    return any(name.startswith(_PARTS) for name in _eyes(path))


def vision_config(path: Path) -> VisionConfig:
    """Of the tower and projector in a language model's file or folder, from the headers alone.

    Raises WeightsError where there is none, or it is of another kind than LLaVA-Llama-3's.
    """
    return _config(_eyes(path), open_checkpoint(path).config, path)


def load_picture_tower(path: Path, *, dtype: torch.dtype) -> PictureTower:
    """The tower and the projector, memory-mapped where `dtype` is the file's; as `vision_config`."""
    entries = _eyes(path)
    config = _config(entries, open_checkpoint(path, verify=True).config, path)
    shapes = config.shapes()
    check_entries({name: entry for name, entry in entries.items() if name in shapes}, shapes, path=path, called=str)
    with torch.device("meta"):
        tower = PictureTower(config)
    state = {name: cast(entries[name], dtype).read() for name in shapes}
    tower.load_state_dict(state, strict=True, assign=True)
    embeddings = tower.vision_tower.get_submodule("embeddings")  # its positions are counted, not stored
    embeddings.register_buffer("position_ids", torch.arange(config.num_patches + 1)[None], persistent=False)
    return tower.requires_grad_(False).eval()


def _eyes(path: Path) -> Entries:
    """What of a LLaVA is not language, under one set of names."""
    entries = recognise(open_checkpoint(path), kind="text-encoder").entries
    return {name.replace(_NESTED, _TOWER, 1): entry for name, entry in entries.items() if name.startswith(_PARTS)}


def _config(entries: Entries, beside: Mapping[str, Any] | None, path: Path) -> VisionConfig:
    """Read off the shapes; heads and activation from the `config.json` beside, where that tells them."""
    if not entries:
        raise WeightsError(f"{path}: its language model has no vision tower to see the picture with; {_REMEDY}.")
    for name, released in _FEATURES.items():
        if (beside or {}).get(name, released) != released:
            raise WeightsError(f"{path}: {name} in config.json is not {released!r}; use LLaVA-Llama-3's own.")
    shapes, embeddings = Shapes(entries, path=path, called=str), f"{_TOWER}embeddings."
    hidden_size, _, patch_px, _ = shapes.of(f"{embeddings}patch_embedding.weight", 4)
    positions, _ = shapes.of(f"{embeddings}position_embedding.weight", 2)
    said = (beside or {}).get("vision_config")
    said = said if isinstance(said, dict) else {}
    values = {
        "image_px": math.isqrt(positions - 1) * patch_px,
        "patch_px": patch_px,
        "hidden_size": hidden_size,
        "num_layers": shapes.depth(f"{_TOWER}encoder.layers"),
        "num_heads": said.get("num_attention_heads", max(1, hidden_size // _HEAD_DIM)),
        "mlp_dim": shapes.of(f"{_TOWER}encoder.layers.0.mlp.fc1.weight", 2)[0],
        "output_dim": shapes.of("multi_modal_projector.linear_1.weight", 2)[0],
        "activation": said.get("hidden_act", "quick_gelu"),
    }
    return built(VisionConfig, values, path)
