"""Small networks with random weights, and ways to damage a file."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.transformer import Transformer, TransformerConfig
from muybridge.vae import ShuffleVAEConfig, VAEConfig, VideoVAE
from muybridge.weights.layouts import Entries, Table, from_official
from muybridge.weights.registry import NETWORKS, Network
from muybridge.weights.stored import StoredTensor, from_tensor

TRANSFORMER = TransformerConfig(
    hidden_size=32, num_heads=2, num_double_blocks=2, num_single_blocks=1, num_refiner_blocks=1,
    rope_axes_dim=(4, 6, 6), text_dim=12, pooled_dim=10,
)  # fmt: skip
VAE = VAEConfig(block_channels=(4, 4, 8, 8), layers_per_block=1, norm_groups=2, norm="frame")

LANGUAGE = LanguageConfig(
    vocab_size=24, hidden_size=16, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=4, mlp_dim=20, rope_theta=100.0
)
POOLED = PooledConfig(
    vocab_size=30, hidden_size=8, num_layers=2, num_heads=2, mlp_dim=12, max_tokens=9, eos_token_id=29
)
TRANSFORMER_15 = replace(
    TRANSFORMER, in_channels=9, out_channels=4, patch_size=(1, 1, 1), num_single_blocks=0, pooled_dim=0,
    has_guidance=False, has_split_qkv=True, glyph_dim=8, vision_dim=6, has_end_sigma=True,
)  # fmt: skip
VAE_15 = ShuffleVAEConfig(block_channels=(4, 8, 16, 16), spatial_ratio=8, layers_per_block=1, latent_channels=4)
SIBLINGS = {  # each with its further parts; HunyuanCustom's audio stands after double blocks 1, 3 ... 11 whatever else
    "hunyuanvideo-avatar": replace(TRANSFORMER, has_guidance=False, sibling="avatar"),
    "hunyuancustom-audio": replace(TRANSFORMER, has_guidance=False, sibling="custom-audio"),
    "hunyuancustom-editing": replace(TRANSFORMER, has_guidance=False, sibling="custom-editing"),
    "hunyuan-gamecraft": replace(TRANSFORMER, has_guidance=False, in_channels=33, sibling="gamecraft"),
}
SMALL = {
    "hunyuanvideo": TRANSFORMER, "hunyuanvideo-vae": VAE, "hunyuanvideo-1.5": TRANSFORMER_15,
    "hunyuanvideo-1.5-vae": VAE_15, "language-model": LANGUAGE, "clip-text": POOLED, **SIBLINGS,
}  # fmt: skip
BESIDE = {  # the config.json that a small model needs beside it, as others write it
    "hunyuanvideo": {"rope_axes_dim": [4, 6, 6]},
    **dict.fromkeys(("hunyuanvideo-1.5", *SIBLINGS), {"rope_axes_dim": [4, 6, 6]}),
    "hunyuanvideo-vae": {"norm_num_groups": 2, "block_out_channels": [4, 4, 8, 8]},
    "language-model": {"num_attention_heads": 4, "head_dim": 4, "rope_theta": 100.0, "rms_norm_eps": 1e-5},
    "clip-text": {"num_attention_heads": 2, "hidden_act": "quick_gelu", "eos_token_id": 29},
}
CARRIED = {  # keys that files of these networks hold beside the network's own
    "language-model": {
        "lm_head.weight": (24, 16), "vision_tower.vision_model.post_layernorm.bias": (3,),
        "multi_modal_projector.linear_1.weight": (16, 3), "logit_scale": (),
    },
    "clip-text": {
        "logit_scale": (), "text_projection.weight": (4, 8), "embeddings.position_ids": (1, 9),
        "vision_model.embeddings.class_embedding": (5,), "visual_projection.weight": (4, 5),
    },
}  # fmt: skip
LAYOUTS = [(network, table) for network in NETWORKS if network.name in SMALL for table in network.tables]
LAYOUT_NAMES = [f"{network.name}-{table.layout}" for network, table in LAYOUTS]
FILE = Path("model.safetensors")
SYSTEM = {  # one file's prefixes, and the networks behind them
    "model.diffusion_model.": ("hunyuanvideo", "comfy"),
    "vae.": ("hunyuanvideo-vae", "comfy"),
    "text_encoders.llama.transformer.": ("language-model", "causal-lm"),
    "text_encoders.clip_l.transformer.": ("clip-text", "clip"),
}


@cache
def small_state(network: Network) -> dict[str, Tensor]:
    """Random parameters of a small model of any registered network, official names, with what its files carry."""
    generator = torch.Generator().manual_seed(0)
    shapes = network.shapes(SMALL[network.name]) | CARRIED.get(network.name, {})
    return {key: torch.randn(shape, generator=generator) * 0.2 for key, shape in shapes.items()}


def entries_of(state: Mapping[str, Tensor]) -> Entries:
    """A state dict as stored tensors."""
    return {key: from_tensor(tensor, FILE) for key, tensor in state.items()}


def in_layout(state: Mapping[str, Tensor], table: Table, *, hidden_size: int = TRANSFORMER.hidden_size) -> Entries:
    """An official state dict under a layout's names."""
    return from_official(entries_of(state), table, hidden_size=hidden_size)


def system() -> Entries:
    """A whole system in one file, as ComfyUI saves it."""
    whole: dict[str, StoredTensor] = {}
    for prefix, wanted in SYSTEM.items():
        network, table = next((n, t) for n, t in LAYOUTS if (n.name, t.layout) == wanted)
        whole |= {prefix + key: entry for key, entry in in_layout(small_state(network), table).items()}
    return whole


def write_plain(path: Path, entries: Entries) -> Path:
    """A safetensors file as others write it: no config, no checksum."""
    save_file({key: entry.read().clone() for key, entry in entries.items()}, path)
    return path


def randomised(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model with every parameter drawn from a generator of its own, so that nothing is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return model


def small_transformer(config: TransformerConfig = TRANSFORMER) -> Transformer:
    """A transformer of 143,776 random parameters by default."""
    model = randomised(Transformer(config))
    assert isinstance(model, Transformer)
    return model


def small_vae(config: VAEConfig = VAE) -> VideoVAE:
    """A VAE of 59,551 random parameters by default."""
    model = randomised(VideoVAE(config))
    assert isinstance(model, VideoVAE)
    return model


def flip_bit(path: Path, position: int, bit: int = 0) -> None:
    """Change one bit of a file in place."""
    data = bytearray(path.read_bytes())
    data[position] ^= 1 << bit
    path.write_bytes(data)


def same(a: nn.Module, b: nn.Module) -> bool:
    """Whether two models have the same keys and bit for bit the same values."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)
