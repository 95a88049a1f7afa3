"""A small world, VAE and caches, made in well under a second."""

from pathlib import Path

import torch

from muybridge.data.cache import CacheConfig, LatentCache, build_cache
from muybridge.text.encoder import HashEncoder
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld

SIZE_PX = 32


def small_world() -> SpritesWorld:
    return SpritesWorld(SpritesConfig(width_px=SIZE_PX, height_px=SIZE_PX, num_frames=5), drawn_library())


def small_vae_config() -> VAEConfig:
    return VAEConfig(
        block_channels=(8, 8), layers_per_block=1, latent_channels=4, norm_groups=2, norm="frame", scaling_factor=1.0,
        stem_patch=(2, 4, 4), has_linear_path=True, has_mid_attention=False,
    )  # fmt: skip


def small_vae() -> VideoVAE:
    torch.manual_seed(0)
    return VideoVAE(small_vae_config()).eval()


def small_cache(folder: Path, *, num_scenes: int = 24, is_held_out: bool = False) -> LatentCache:
    config = CacheConfig(
        num_scenes=num_scenes, sizes_px=(SIZE_PX,), num_frames=5, scenes_per_shard=12, is_held_out=is_held_out
    )
    text = HashEncoder(text_dim=6, pooled_dim=6)
    build_cache(folder, config, world=small_world(), vae=small_vae(), text=text)
    return LatentCache(folder, size_px=SIZE_PX)
