"""Small networks with random weights, and ways to damage a file."""

from pathlib import Path

import torch
from torch import nn

from muybridge.transformer import Transformer, TransformerConfig
from muybridge.vae import VAEConfig, VideoVAE

TRANSFORMER = TransformerConfig(
    hidden_size=32, num_heads=2, num_double_blocks=2, num_single_blocks=1, num_refiner_blocks=1,
    rope_axes_dim=(4, 6, 6), text_dim=12, pooled_dim=10,
)  # fmt: skip
VAE = VAEConfig(block_channels=(4, 4, 8, 8), layers_per_block=1, norm_groups=2, norm="frame")


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
