"""A whole model in miniature with random weights: in memory with the shipped text double, or as a folder on disk."""

from dataclasses import replace
from pathlib import Path

import torch

from muybridge import Pipeline
from muybridge.pipelines.components import Components, TextSource
from muybridge.pipelines.settings import Defaults
from muybridge.text.encoder import HashEncoder
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.vae.tiling import Tiling
from muybridge.weights.save import save_model
from tests.text import tiny as text
from tests.transformer.networks import TINY, network

VAE = VAEConfig(block_channels=(8, 8, 8, 8), layers_per_block=1, latent_channels=4, norm_groups=4, scaling_factor=0.5)
SMALL = {"size": "48x32", "frames": 5, "steps": 3}  # a film of two latent frames in a fraction of a second
FOLDER_TRANSFORMER = replace(TINY, text_dim=32, pooled_dim=16)  # of `model_folder`, whose text encoders are so


def vae(config: VAEConfig = VAE) -> VideoVAE:
    """Random weights, the same every time, frozen."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VideoVAE(config).eval().requires_grad_(False)


def pipeline(*, has_guidance: bool = True, defaults: Defaults | None = None, tiling: Tiling | None = None) -> Pipeline:
    """A pipeline in memory."""
    config = replace(TINY, has_guidance=has_guidance)
    return Pipeline(
        Components(
            name="tiny",
            transformer=network(config).requires_grad_(False),
            vae=vae(),
            text=TextSource(lambda: HashEncoder(text_dim=config.text_dim, pooled_dim=config.pooled_dim)),
            defaults=defaults or Defaults(guidance=6.0 if has_guidance else None, negative="ugly"),
            weights={"transformer": "0" * 64, "vae": "1" * 64},
            tiling=tiling,
        )
    )


def model_folder(folder: Path) -> Path:
    """A folder in the released tree's layout, text encoders and all; about 1 MB."""
    torch.manual_seed(0)
    save_model(network(FOLDER_TRANSFORMER), folder / "transformers" / "model.safetensors")
    save_model(vae(), folder / "vae" / "model.safetensors")
    text.language_model().save_pretrained(folder / "text_encoder")
    text.language_tokenizer().save_pretrained(folder / "text_encoder")
    text.clip_model().save_pretrained(folder / "text_encoder_2")
    text.clip_tokenizer().save_pretrained(folder / "text_encoder_2")
    return folder
