"""Every network that a checkpoint can be, one row each: its kind, layouts, config and class.

This is the one place where a network is made known. To add one (a sibling of HunyuanVideo with further keys, say):
write its tables in `weights/layouts/` (official names first; those of a sibling are another network's rows and its
own), a function in `weights/configs.py` that reads its config off `Shapes`, and a row here. Nothing else needs to know:
`recognise`, `load` and `convert` walk this registry.

A checkpoint is the network and the layout whose table knows most of its keys; of equals the one with fewer rows, then
the first. So no single key decides, a damaged file is still recognised, and a sibling's table may contain another's.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.transformer.config import Sibling
from muybridge.vae import ShuffleVAE, ShuffleVAEConfig, VAEConfig, VideoVAE
from muybridge.weights.configs import (
    Shapes,
    sibling_config,
    transformer15_config,
    transformer_config,
    vae15_config,
    vae_config,
)
from muybridge.weights.layouts import Entries, Kind, Table, siblings, text, transformer, transformer15, vae, vae15
from muybridge.weights.text_configs import language_config, pooled_config

Config = TransformerConfig | VAEConfig | ShuffleVAEConfig | LanguageConfig | PooledConfig


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Network:
    """One network. tables: its layouts, the official one first.

    read_config: (shapes of the official entries, the config.json beside the file if any) -> config.
    build: the module of a config; None where transformers has it, and the config's own `shapes` say what it needs.
    variants: what a config with these fields is called, the first that matches; the last has none.
    carried: beginnings of official keys that may come along and that the module does not have.
    """

    name: str
    kind: Kind
    tables: tuple[Table, ...]
    config_type: type[Any]
    read_config: Callable[[Shapes, Mapping[str, Any] | None], Any]
    build: Callable[[Any], nn.Module] | None
    variants: tuple[tuple[Mapping[str, Any], str], ...]
    carried: tuple[str, ...] = ()

    def on_meta(self, config: Any) -> nn.Module:
        """The module of a config on the meta device: shapes without memory."""
        if self.build is None:
            raise AssertionError(f"{self.name} is built by transformers")
        with torch.device("meta"):
            return self.build(config)

    def shapes(self, config: Any) -> dict[str, tuple[int, ...]]:
        """Every parameter that a model of this config needs, and its shape."""
        if self.build is None:
            return config.shapes()
        return {key: tuple(tensor.shape) for key, tensor in self.on_meta(config).state_dict().items()}

    def table(self, layout: str) -> Table | None:
        """The table of a layout; None where this network has no such layout."""
        return next((table for table in self.tables if table.layout == layout), None)

    def variant(self, config: Any) -> str:
        """What people call a model of this config. In a name, `{field}` stands for the config's value."""
        for fields, name in self.variants:
            if all(getattr(config, field) == value for field, value in fields.items()):
                return name.format(**{field: getattr(config, field) for field in config.__dataclass_fields__})
        raise AssertionError(f"the last variant of {self.name} must have no fields")


_SIBLINGS: tuple[tuple[Sibling, str, str], ...] = (
    ("avatar", "hunyuanvideo-avatar", "HunyuanVideo-Avatar"),
    ("custom-audio", "hunyuancustom-audio", "HunyuanCustom, driven by audio"),
    ("custom-editing", "hunyuancustom-editing", "HunyuanCustom, video editing"),
    ("gamecraft", "hunyuan-gamecraft", "Hunyuan-GameCraft"),
)
NETWORKS: tuple[Network, ...] = (
    Network(
        name="hunyuanvideo",
        kind="transformer",
        tables=transformer.TABLES,
        config_type=TransformerConfig,
        read_config=transformer_config,
        build=Transformer,
        variants=(
            ({"hidden_size": 480}, "HYVideo-S/2"),
            ({"in_channels": 33}, "HunyuanVideo-I2V, latent concat (33 channels)"),
            ({"in_channels": 32}, "HunyuanVideo, picture beside the noise (32 channels: SkyReels-V1 I2V, keyframes)"),
            ({"hidden_size": 3072, "num_double_blocks": 20, "num_single_blocks": 40, "has_guidance": True},
             "HunyuanVideo, guidance-distilled (T2V, FastHunyuan, I2V by token replacement)"),
            ({"hidden_size": 3072, "num_double_blocks": 20, "num_single_blocks": 40},
             "HunyuanVideo, not guidance-distilled (T2V, HunyuanCustom)"),
            ({"hidden_size": 3072}, "HunyuanVideo, pruned to {num_double_blocks} + {num_single_blocks} blocks"),
            ({}, "HunyuanVideo transformer of width {hidden_size}, {num_double_blocks} + {num_single_blocks} blocks"),
        ),
    ),
    Network(
        name="hunyuanvideo-vae",
        kind="vae",
        tables=vae.TABLES,
        config_type=VAEConfig,
        read_config=vae_config,
        build=VideoVAE,
        variants=(
            ({"block_channels": (128, 256, 512, 512), "norm": "clip"}, "HunyuanVideo VAE, 4x8x8"),
            ({}, "causal 3D VAE, 4x8x8, {latent_channels} channels"),
        ),
    ),
    *(
        Network(
            name=name,
            kind="transformer",
            tables=siblings.TABLES[sibling],
            config_type=TransformerConfig,
            read_config=partial(sibling_config, sibling=sibling),
            build=Transformer,
            variants=(({}, title),),
        )
        for sibling, name, title in _SIBLINGS
    ),
    Network(
        name="hunyuanvideo-1.5",
        kind="transformer",
        tables=transformer15.TABLES,
        config_type=TransformerConfig,
        read_config=transformer15_config,
        build=Transformer,
        variants=(
            ({"hidden_size": 2048, "in_channels": 65, "has_end_sigma": True}, "HunyuanVideo-1.5, step-distilled"),
            ({"hidden_size": 2048, "in_channels": 65}, "HunyuanVideo-1.5"),
            ({"hidden_size": 2048, "in_channels": 98}, "HunyuanVideo-1.5, super-resolution"),
            ({}, "HunyuanVideo-1.5 transformer of width {hidden_size}, {num_double_blocks} blocks"),
        ),
    ),
    Network(
        name="hunyuanvideo-1.5-vae",
        kind="vae",
        tables=vae15.TABLES,
        config_type=ShuffleVAEConfig,
        read_config=vae15_config,
        build=ShuffleVAE,
        variants=(
            ({"block_channels": (128, 256, 512, 1024, 1024)}, "HunyuanVideo-1.5 VAE, 4x16x16"),
            ({}, "HunyuanVideo-1.5-like VAE, {temporal_ratio}x{spatial_ratio}x{spatial_ratio}"),
        ),
    ),
    Network(
        name="language-model",
        kind="text-encoder",
        tables=text.LANGUAGE_TABLES,
        config_type=LanguageConfig,
        read_config=language_config,
        build=None,
        variants=(
            ({"hidden_size": 4096, "num_layers": 32, "vocab_size": 128_320}, "LLaVA-Llama-3-8B language model"),
            ({"hidden_size": 4096, "num_layers": 32, "vocab_size": 128_256}, "Llama-3-8B"),
            ({}, "Llama-like language model of width {hidden_size}, {num_layers} layers"),
        ),
        carried=text.LANGUAGE_CARRIED,
    ),
    Network(
        name="clip-text",
        kind="pooled-text-encoder",
        tables=text.POOLED_TABLES,
        config_type=PooledConfig,
        read_config=pooled_config,
        build=None,
        variants=(
            ({"hidden_size": 768, "num_layers": 12}, "CLIP ViT-L/14 text model"),
            ({}, "CLIP text model of width {hidden_size}, {num_layers} layers"),
        ),
        carried=text.POOLED_CARRIED,
    ),
)  # fmt: skip


def detect(entries: Entries) -> tuple[Network, Table] | None:
    """Which network in which layout the (stripped) keys are, by keys alone.

    None where no table knows more than half of them.
    """
    best, found = (len(entries) // 2, 0), None
    for network in NETWORKS:
        for table in network.tables:
            score = (sum(map(table.knows, entries)), -len(table.rows))
            if score > best:
                best, found = score, (network, table)
    return found
