"""Small VAEs with nothing zero in them, and clips for them."""

from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from muybridge.vae import ShuffleVAE, ShuffleVAEConfig, VAEConfig, VideoVAE

M = TypeVar("M", bound=nn.Module)
SMALL = VAEConfig(block_channels=(8, 8, 16, 16), layers_per_block=1, norm_groups=4)
STEMMED = replace(SMALL, block_channels=(8, 16), stem_patch=(4, 4, 4), norm="frame", has_linear_path=True)


SMALL_15 = ShuffleVAEConfig(block_channels=(8, 16, 32, 64, 64), layers_per_block=1, latent_channels=4)


def small_vae(config: VAEConfig = SMALL, *, seed: int = 0, **changes: Any) -> VideoVAE:
    """Every parameter drawn, so that every path shows; activations stay of order one."""
    return drawn(VideoVAE(replace(config, **changes)), seed)


def small_shuffle_vae(config: ShuffleVAEConfig = SMALL_15, *, seed: int = 0) -> ShuffleVAE:
    """As `small_vae`."""
    return drawn(ShuffleVAE(config), seed)


def drawn(model: M, seed: int) -> M:
    """The model with every parameter drawn, norms around one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name and name.endswith(("weight", "gamma"))
            scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 and not is_norm else 0.3
            parameter.copy_(is_norm + scale * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def clip(frames: int = 9, height: int = 16, width: int = 24, *, batch: int = 1, seed: int = 0) -> Tensor:
    """Uniform noise in [-1, 1], (batch, 3, frames, height, width)."""
    return torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def noise_latents(frames: int = 3, height: int = 2, width: int = 3, *, batch: int = 1, seed: int = 0) -> Tensor:
    """Normal noise (batch, 16, frames, height, width)."""
    return torch.randn(batch, 16, frames, height, width, generator=torch.Generator().manual_seed(seed))
