"""The config.json that diffusers reads beside weights in its layout."""

from collections.abc import Mapping
from typing import Any

from muybridge.core.errors import invalid
from muybridge.transformer import TransformerConfig
from muybridge.vae import ShuffleVAEConfig, VAEConfig
from muybridge.weights.recognise import Config


def diffusers_config(config: Config, source_config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The config.json that diffusers reads for a model of ours.

    source_config: a diffusers config.json that this model came with; what it says beyond our config is kept.
    Raises InvalidInput where diffusers' class cannot express the model.
    """
    if isinstance(config, VAEConfig):
        return _diffusers_vae(config)
    if isinstance(config, ShuffleVAEConfig):
        return _diffusers_vae15(config)
    if not isinstance(config, TransformerConfig):
        raise invalid(type(config).__name__, "diffusers has no config for it", "use layout official")
    t, h, w = config.patch_size
    if h != w:
        raise invalid(f"patch_size={config.patch_size}", "diffusers has square patches only", "use layout official")
    fields = _transformer15_fields if config.has_split_qkv else _transformer_fields
    return fields(config, source_config or {}) | {"patch_size": h, "patch_size_t": t, "qk_norm": "rms_norm"}


def _transformer_fields(config: TransformerConfig, source_config: Mapping[str, Any]) -> dict[str, Any]:
    conditioned = {33: "latent_concat"}.get(config.in_channels)
    return {
        "_class_name": "HunyuanVideoTransformer3DModel",
        **_common_fields(config),
        "num_single_layers": config.num_single_blocks,
        "guidance_embeds": config.has_guidance,
        "pooled_projection_dim": config.pooled_dim,
        "image_condition_type": source_config.get("image_condition_type", conditioned),
    }


def _transformer15_fields(config: TransformerConfig, source_config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_class_name": "HunyuanVideo15Transformer3DModel",
        **_common_fields(config),
        "text_embed_2_dim": config.glyph_dim,
        "image_embed_dim": config.vision_dim,
        "use_meanflow": config.has_end_sigma,
        **{name: source_config[name] for name in ("target_size", "task_type") if name in source_config},
    }


def _common_fields(config: TransformerConfig) -> dict[str, Any]:
    return {
        "in_channels": config.in_channels,
        "out_channels": config.out_channels,
        "num_attention_heads": config.num_heads,
        "attention_head_dim": config.head_dim,
        "num_layers": config.num_double_blocks,
        "num_refiner_layers": config.num_refiner_blocks,
        "mlp_ratio": config.mlp_ratio,
        "text_embed_dim": config.text_dim,
        "rope_theta": config.rope_theta,
        "rope_axes_dim": list(config.rope_axes_dim),
    }


def _diffusers_vae15(config: ShuffleVAEConfig) -> dict[str, Any]:
    return {
        "_class_name": "AutoencoderKLHunyuanVideo15",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": config.latent_channels,
        "block_out_channels": list(config.block_channels),
        "layers_per_block": config.layers_per_block,
        "spatial_compression_ratio": config.spatial_ratio,
        "temporal_compression_ratio": config.temporal_ratio,
        "downsample_match_channel": True,
        "upsample_match_channel": True,
        "scaling_factor": config.scaling_factor,
    }


def _diffusers_vae(config: VAEConfig) -> dict[str, Any]:
    num_blocks = len(config.block_channels)
    is_plain = config.stem_patch == (1, 1, 1) and not config.has_linear_path and not config.has_own_decoder
    if config.norm != "clip" or not is_plain or num_blocks != 4:
        rule = "diffusers has norm clip, no stem, no linear path, a mirrored decoder and four blocks only"
        raise invalid(f"VAE with norm={config.norm}, stem_patch={config.stem_patch}", rule, "use layout official")
    return {
        "_class_name": "AutoencoderKLHunyuanVideo",
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": config.latent_channels,
        "block_out_channels": list(config.block_channels),
        "layers_per_block": config.layers_per_block,
        "down_block_types": ["HunyuanVideoDownBlock3D"] * num_blocks,
        "up_block_types": ["HunyuanVideoUpBlock3D"] * num_blocks,
        "act_fn": "silu",
        "norm_num_groups": config.norm_groups,
        "scaling_factor": config.scaling_factor,
        "spatial_compression_ratio": 8,
        "temporal_compression_ratio": 4,
        "mid_block_add_attention": config.has_mid_attention,
    }
