"""The config of a checkpoint: from our metadata, from a `config.json`, else read off the shapes."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from muybridge.core.config import from_dict
from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.transformer import TransformerConfig
from muybridge.transformer.config import Sibling
from muybridge.vae import ShuffleVAEConfig, VAEConfig
from muybridge.weights.accounting import nearest
from muybridge.weights.json_map import json_map
from muybridge.weights.layouts import Entries, Kind

CONFIG_KEY = "muybridge.config"
KIND_KEY = "muybridge.kind"
ROPE_AXES = {128: (16, 56, 56), 96: (12, 42, 42)}  # by head_dim, as released (HYVideo-T/2, HYVideo-S/2)
_TRANSFORMER_FIELDS = {  # diffusers' config.json: ours
    "in_channels": "in_channels", "out_channels": "out_channels", "num_attention_heads": "num_heads",
    "num_layers": "num_double_blocks", "num_single_layers": "num_single_blocks",
    "num_refiner_layers": "num_refiner_blocks", "mlp_ratio": "mlp_ratio", "guidance_embeds": "has_guidance",
    "text_embed_dim": "text_dim", "pooled_projection_dim": "pooled_dim", "rope_theta": "rope_theta",
    "rope_axes_dim": "rope_axes_dim", "text_embed_2_dim": "glyph_dim", "image_embed_dim": "vision_dim",
    "use_meanflow": "has_end_sigma",
}  # fmt: skip
_VAE_FIELDS = {  # the same in the released config.json and in diffusers'
    "block_out_channels": "block_channels", "layers_per_block": "layers_per_block", "norm_num_groups": "norm_groups",
    "latent_channels": "latent_channels", "scaling_factor": "scaling_factor",
    "mid_block_add_attention": "has_mid_attention",
}  # fmt: skip
_VAE_FIXED = {"spatial_compression_ratio": 8, "temporal_compression_ratio": 4, "time_compression_ratio": 4}
C = TypeVar("C")


class Shapes:
    """The shapes of official entries; a key that tells a size and is missing or nonsense is an error.

    called: what the file itself calls an official key, for messages.
    """

    def __init__(self, entries: Entries, *, path: Path, called: Callable[[str], str]) -> None:
        self.entries = entries
        self.path = path
        self._called = called

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def of(self, key: str, num_dims: int) -> tuple[int, ...]:
        """The shape of an official key.

        Raises WeightsError where it is missing, has another number of dimensions, or is empty.
        """
        if key not in self.entries:
            near = nearest(self._called(key), map(self._called, self.entries))
            raise WeightsError(
                f"{self.path}: lacks {self._called(key)!r}; {near}use a complete checkpoint of this model."
            )
        entry = self.entries[key]
        if len(entry.shape) != num_dims or 0 in entry.shape:
            raise WeightsError(
                f"{entry.file}: {self._called(key)!r} has shape {entry.shape}; "
                f"it needs {num_dims} dimensions, none empty."
            )
        return entry.shape

    def depth(self, prefix: str) -> int:
        """One more than the largest index under a prefix; a hole in between is a missing key later."""
        pattern = re.compile(re.escape(prefix) + r"\.(\d{1,6})\.")
        return max((int(found[1]) + 1 for key in self.entries if (found := pattern.match(key))), default=0)


def own_config(metadata: Mapping[str, str], kind: Kind, *, config_type: type[C], path: Path) -> C | None:
    """The config that `save_model` put into the metadata; None in other files.

    Raises WeightsError where it is damaged or belongs to another kind of model.
    """
    if CONFIG_KEY not in metadata:
        return None
    if metadata.get(KIND_KEY) != kind:
        raise WeightsError(f"{path}: says it is a {metadata.get(KIND_KEY)} but holds a {kind}; save it again.")
    values = json_map(metadata[CONFIG_KEY], f"{path}: {CONFIG_KEY} in its metadata")
    return built(config_type, values, path)


def transformer_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> TransformerConfig:
    """Read off the shapes; where a diffusers `config.json` lies beside the file, what it says counts.

    Raises WeightsError where a key that tells a size is missing, or the rotary axes cannot be known.
    """
    values = _transformer_shapes(shapes) | {
        "pooled_dim": shapes.of("vector_in.in_layer.weight", 2)[1],
        "has_guidance": "guidance_in.mlp.0.weight" in shapes,
    }
    return _transformer(values, shapes, beside)


def sibling_config(shapes: Shapes, beside: Mapping[str, Any] | None, *, sibling: Sibling) -> TransformerConfig:
    """As `transformer_config`, of a sibling with further parts."""
    return replace(transformer_config(shapes, beside), sibling=sibling)


def transformer15_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> TransformerConfig:
    """As `transformer_config`, of HunyuanVideo-1.5."""
    values = _transformer_shapes(shapes) | {
        "pooled_dim": 0,
        "has_guidance": False,
        "has_split_qkv": True,
        "glyph_dim": shapes.of("byt5_in.layernorm.weight", 1)[0],
        "vision_dim": shapes.of("vision_in.proj.0.weight", 1)[0],
        "has_end_sigma": "time_r_in.mlp.0.weight" in shapes,
    }
    return _transformer(values, shapes, beside)


def _transformer(values: dict[str, Any], shapes: Shapes, beside: Mapping[str, Any] | None) -> TransformerConfig:
    if beside and "num_attention_heads" in beside:
        values |= {ours: beside[name] for name, ours in _TRANSFORMER_FIELDS.items() if beside.get(name) is not None}
        sizes = (beside["num_attention_heads"], beside.get("attention_head_dim"))
        if len(heads := [size for size in sizes if isinstance(size, int)]) == len(sizes):
            values["hidden_size"] = math.prod(heads)
    elif beside:
        values |= {name: beside[name] for name in ("rope_axes_dim", "rope_theta") if name in beside}
    if "rope_axes_dim" not in values:
        raise WeightsError(
            f"{shapes.path}: {values['hidden_size']} channels in {values['num_heads']} heads tell no rotary axes; "
            'put a config.json with {"rope_axes_dim": [t, h, w]} beside it.'
        )
    return built(TransformerConfig, values, shapes.path)


def vae_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> VAEConfig:
    """Read off the shapes, with the released norm groups and scale; a `config.json` beside the file counts more.

    Raises WeightsError where a key that tells a size is missing, or the VAE is of another compression.
    """
    prefix = "encoder.down_blocks."
    blocks = range(shapes.depth(prefix.removesuffix(".")))
    values: dict[str, Any] = {
        "block_channels": [shapes.of(f"{prefix}{block}.resnets.0.conv1.conv.weight", 5)[0] for block in blocks],
        "layers_per_block": shapes.depth(f"{prefix}0.resnets"),
        "latent_channels": shapes.of("post_quant_conv.weight", 5)[0],
        "has_mid_attention": any(key.startswith("encoder.mid_block.attentions.") for key in shapes.entries),
        "has_linear_path": "linear_in.weight" in shapes,
    }
    if beside and "block_out_channels" in beside:
        for name, ratio in _VAE_FIXED.items():
            if beside.get(name, ratio) != ratio:
                raise WeightsError(
                    f"{shapes.path}: {name}={beside[name]} in config.json; only {ratio} is known; use a 4x8x8 VAE."
                )
        values |= {ours: beside[name] for name, ours in _VAE_FIELDS.items() if name in beside}
    return built(VAEConfig, values, shapes.path)


def vae15_config(shapes: Shapes, beside: Mapping[str, Any] | None) -> ShuffleVAEConfig:
    """HunyuanVideo-1.5's, read off the shapes, with the released scale; a `config.json` beside the file counts more.

    Raises WeightsError where a key that tells a size is missing.
    """
    levels = [f"encoder.down.{level}." for level in range(shapes.depth("encoder.down"))]
    channels = [shapes.of(f"{level}block.0.conv1.conv.weight", 5)[0] for level in levels]
    reduced = [shapes.of(f"{level}downsample.conv.conv.weight", 5)[0] for level in levels[:-1]]
    volumes = [inner // width for inner, width in zip(channels[1:], reduced, strict=True)]  # 4 in space, 8 in time too
    values: dict[str, Any] = {
        "block_channels": channels,
        "layers_per_block": shapes.depth("encoder.down.0.block"),
        "latent_channels": shapes.of("decoder.conv_in.conv.weight", 5)[1],
        "spatial_ratio": 2 ** len(volumes),
        "temporal_ratio": 2 ** volumes.count(8),
    }
    if beside and "scaling_factor" in beside:
        values["scaling_factor"] = beside["scaling_factor"]
    return built(ShuffleVAEConfig, values, shapes.path)


def _transformer_shapes(shapes: Shapes) -> dict[str, Any]:
    hidden, in_channels, *patch = shapes.of("img_in.proj.weight", 5)
    double, single = shapes.depth("double_blocks"), shapes.depth("single_blocks")
    norm, mlp = ("double_blocks.0.img_attn_q_norm.weight", "double_blocks.0.img_mlp.fc2.weight")
    head_dim = shapes.of(norm if double else "single_blocks.0.q_norm.weight", 1)[0]
    mlp_dim = shapes.of(mlp, 2)[1] if double else shapes.of("single_blocks.0.linear2.weight", 2)[1] - hidden
    patch_volume = max(1, patch[0] * patch[1] * patch[2])
    values: dict[str, Any] = {
        "in_channels": in_channels,
        "out_channels": shapes.of("final_layer.linear.weight", 2)[0] // patch_volume,
        "patch_size": patch,
        "hidden_size": hidden,
        "num_heads": hidden // max(1, head_dim),
        "mlp_ratio": mlp_dim / max(1, hidden),
        "num_double_blocks": double,
        "num_single_blocks": single,
        "num_refiner_blocks": shapes.depth("txt_in.individual_token_refiner.blocks"),
        "text_dim": shapes.of("txt_in.input_embedder.weight", 2)[1],
    }
    if head_dim in ROPE_AXES:
        values["rope_axes_dim"] = ROPE_AXES[head_dim]
    return values


def built(cls: type[C], values: Mapping[str, Any], path: Path) -> C:
    """The config of these values; raises WeightsError where they do not hold together."""
    try:
        return from_dict(cls, values)
    except InvalidInput as error:
        raise WeightsError(f"{path}: its config does not hold together: {error}") from None
