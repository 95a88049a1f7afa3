"""Small VAEs with nothing zero in them, and clips for them."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from muybridge.vae import VAEConfig, VideoVAE

SMALL = VAEConfig(block_channels=(8, 8, 16, 16), layers_per_block=1, norm_groups=4)
STEMMED = replace(SMALL, block_channels=(8, 16), stem_patch=(4, 4, 4), norm="frame", has_linear_path=True)


def small_vae(config: VAEConfig = SMALL, *, seed: int = 0, **changes: Any) -> VideoVAE:
    """Every parameter drawn, so that every path shows; activations stay of order one."""
    model = VideoVAE(replace(config, **changes))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.3
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(centre + scale * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def clip(frames: int = 9, height: int = 16, width: int = 24, *, batch: int = 1, seed: int = 0) -> Tensor:
    """Uniform noise in [-1, 1], (batch, 3, frames, height, width)."""
    return torch.rand(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def noise_latents(frames: int = 3, height: int = 2, width: int = 3, *, batch: int = 1, seed: int = 0) -> Tensor:
    """Normal noise (batch, 16, frames, height, width)."""
    return torch.randn(batch, 16, frames, height, width, generator=torch.Generator().manual_seed(seed))
