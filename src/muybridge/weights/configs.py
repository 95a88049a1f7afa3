"""The config of a checkpoint: from our metadata, from a `config.json`, else read off the shapes."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from muybridge.core.config import from_dict
from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.transformer import TransformerConfig
from muybridge.vae import VAEConfig
from muybridge.weights.accounting import nearest
from muybridge.weights.layouts import Entries, Kind, Layout, name_in

CONFIG_KEY = "muybridge.config"
KIND_KEY = "muybridge.kind"
ROPE_AXES = {128: (16, 56, 56), 96: (12, 42, 42)}  # by head_dim, as released (HYVideo-T/2, HYVideo-S/2)
_TRANSFORMER_FIELDS = {  # diffusers' config.json: ours
    "in_channels": "in_channels", "out_channels": "out_channels", "num_attention_heads": "num_heads",
    "num_layers": "num_double_blocks", "num_single_layers": "num_single_blocks",
    "num_refiner_layers": "num_refiner_blocks", "mlp_ratio": "mlp_ratio", "guidance_embeds": "has_guidance",
    "text_embed_dim": "text_dim", "pooled_projection_dim": "pooled_dim", "rope_theta": "rope_theta",
    "rope_axes_dim": "rope_axes_dim",
}  # fmt: skip
_VAE_FIELDS = {  # the same in the released config.json and in diffusers'
    "block_out_channels": "block_channels", "layers_per_block": "layers_per_block", "norm_num_groups": "norm_groups",
    "latent_channels": "latent_channels", "scaling_factor": "scaling_factor",
    "mid_block_add_attention": "has_mid_attention",
}  # fmt: skip
_VAE_FIXED = {"spatial_compression_ratio": 8, "temporal_compression_ratio": 4, "time_compression_ratio": 4}
C = TypeVar("C", TransformerConfig, VAEConfig)


def own_config(metadata: Mapping[str, str], kind: Kind, path: Path) -> TransformerConfig | VAEConfig | None:
    """The config that `save_model` put into the metadata; None in other files.

    Raises WeightsError where it is damaged or belongs to another kind of model.
    """
    if CONFIG_KEY not in metadata:
        return None
    if metadata.get(KIND_KEY) != kind:
        raise WeightsError(f"{path}: says it is a {metadata.get(KIND_KEY)} but holds a {kind}; save it again.")
    try:
        values = json.loads(metadata[CONFIG_KEY])
    except ValueError:
        raise WeightsError(f"{path}: {CONFIG_KEY} in its metadata is not JSON; save it again.") from None
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: {CONFIG_KEY} in its metadata is not a map; save it again.")
    return _built(TransformerConfig, values, path) if kind == "transformer" else _built(VAEConfig, values, path)


def transformer_config(
    entries: Entries, layout: Layout, *, beside: Mapping[str, Any] | None, path: Path
) -> TransformerConfig:
    """Read off the shapes; where a diffusers `config.json` lies beside the file, what it says counts.

    Raises WeightsError where a key that tells a size is missing, or the rotary axes cannot be known.
    """
    values = _transformer_shapes(entries, layout, path)
    if beside and "num_attention_heads" in beside:
        values |= {ours: beside[name] for name, ours in _TRANSFORMER_FIELDS.items() if beside.get(name) is not None}
        if isinstance(beside.get("attention_head_dim"), int):
            values["hidden_size"] = beside["num_attention_heads"] * beside["attention_head_dim"]
    elif beside:
        values |= {name: beside[name] for name in ("rope_axes_dim", "rope_theta") if name in beside}
    if "rope_axes_dim" not in values:
        head_dim = values["hidden_size"] // values["num_heads"]
        raise WeightsError(
            f"{path}: heads of {head_dim} channels do not tell the rotary axes; "
            'put a config.json with {"rope_axes_dim": [t, h, w]} beside it.'
        )
    return _built(TransformerConfig, values, path)


def vae_config(entries: Entries, *, beside: Mapping[str, Any] | None, path: Path) -> VAEConfig:
    """Read off the shapes, with the released norm groups and scale; a `config.json` beside the file counts more.

    Raises WeightsError where a key that tells a size is missing, or the VAE is of another compression.
    """
    look_up = _look_up(entries, "official", path)
    prefix = "encoder.down_blocks."
    blocks = range(_depth(entries, prefix.removesuffix(".")))
    values: dict[str, Any] = {
        "block_channels": [look_up(f"{prefix}{block}.resnets.0.conv1.conv.weight", 5)[0] for block in blocks],
        "layers_per_block": _depth(entries, f"{prefix}0.resnets"),
        "latent_channels": look_up("post_quant_conv.weight", 5)[0],
        "has_mid_attention": any(key.startswith("encoder.mid_block.attentions.") for key in entries),
        "has_linear_path": "linear_in.weight" in entries,
    }
    if beside and "block_out_channels" in beside:
        for name, ratio in _VAE_FIXED.items():
            if beside.get(name, ratio) != ratio:
                raise WeightsError(
                    f"{path}: {name}={beside[name]} in config.json; only {ratio} is known; use a 4x8x8 VAE."
                )
        values |= {ours: beside[name] for name, ours in _VAE_FIELDS.items() if name in beside}
    return _built(VAEConfig, values, path)


def _transformer_shapes(entries: Entries, layout: Layout, path: Path) -> dict[str, Any]:
    look_up = _look_up(entries, layout, path)
    hidden, in_channels, *patch = look_up("img_in.proj.weight", 5)
    double, single = (_depth(entries, name) for name in _block_lists(layout))
    norm, mlp = ("double_blocks.0.img_attn_q_norm.weight", "double_blocks.0.img_mlp.fc2.weight")
    head_dim = look_up(norm if double else "single_blocks.0.q_norm.weight", 1)[0]
    mlp_dim = look_up(mlp, 2)[1] if double else look_up("single_blocks.0.linear2.weight", 2)[1] - hidden
    patch_volume = max(1, patch[0] * patch[1] * patch[2])
    values: dict[str, Any] = {
        "in_channels": in_channels,
        "out_channels": look_up("final_layer.linear.weight", 2)[0] // patch_volume,
        "patch_size": patch,
        "hidden_size": hidden,
        "num_heads": hidden // max(1, head_dim),
        "mlp_ratio": mlp_dim / max(1, hidden),
        "num_double_blocks": double,
        "num_single_blocks": single,
        "num_refiner_blocks": _depth(entries, _block_lists(layout, of_refiner=True)[0]),
        "text_dim": look_up("txt_in.input_embedder.weight", 2)[1],
        "pooled_dim": look_up("vector_in.in_layer.weight", 2)[1],
        "has_guidance": name_in(layout, "guidance_in.mlp.0.weight")[0] in entries,
    }
    if head_dim in ROPE_AXES:
        values["rope_axes_dim"] = ROPE_AXES[head_dim]
    return values


def _block_lists(layout: Layout, *, of_refiner: bool = False) -> tuple[str, ...]:
    official = ("txt_in.individual_token_refiner.blocks",) if of_refiner else ("double_blocks", "single_blocks")
    modules = {"double_blocks": "img_mlp.fc1", "single_blocks": "linear2"}
    keys = [f"{name}.0.{modules.get(name, 'norm1')}.weight" for name in official]
    return tuple(name_in(layout, key)[0].split(".0.", 1)[0] for key in keys)


def _look_up(entries: Entries, layout: Layout, path: Path) -> Callable[[str, int], tuple[int, ...]]:
    """A function from an official key and its number of dimensions to its shape."""

    def shape(official: str, num_dims: int) -> tuple[int, ...]:
        key = name_in(layout, official)[0]
        if key not in entries:
            near = nearest(key, entries)
            raise WeightsError(f"{path}: lacks {key!r}; {near}use a complete checkpoint of this model.")
        found = entries[key].shape
        if len(found) != num_dims or 0 in found:
            raise WeightsError(
                f"{entries[key].file}: {key!r} has shape {found}; it needs {num_dims} dimensions, none empty."
            )
        return found

    return shape


def _depth(entries: Entries, prefix: str) -> int:
    """One more than the largest index under a prefix; a hole in between is a missing key later."""
    pattern = re.compile(re.escape(prefix) + r"\.(\d{1,6})\.")
    return max((int(found[1]) + 1 for key in entries if (found := pattern.match(key))), default=0)


def _built(cls: type[C], values: Mapping[str, Any], path: Path) -> C:
    try:
        return from_dict(cls, values)
    except InvalidInput as error:
        raise WeightsError(f"{path}: its config does not hold together: {error}") from None
