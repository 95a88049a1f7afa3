"""Embeddings of patches, noise levels, guidance and pooled text."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.patch import patchify
from muybridge.ops.rows import few_rows

NUM_FREQUENCIES = 128  # released: 256-wide sinusoids
MAX_PERIOD = 10000.0  # released; arXiv 1706.03762


class PatchProjection(nn.Conv3d):
    """A linear layer over patches, kept as in the released checkpoints: a convolution whose stride is its kernel."""

    def forward(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b n d"]:
        """Tokens in t, h, w order. A matrix product, because a strided convolution is slower at the same result."""
        return F.linear(patchify(latents, self.stride), self.weight.flatten(1), self.bias)


class PatchEmbed(nn.Module):
    """Tokens of the latents' patches."""

    def __init__(self, in_channels: int, hidden_size: int, patch_size: tuple[int, int, int]) -> None:
        super().__init__()
        self.proj = PatchProjection(in_channels, hidden_size, kernel_size=patch_size, stride=patch_size)

    def forward(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b n d"]:
        """Tokens in t, h, w order."""
        return self.proj(latents)


class ScalarEmbed(nn.Module):
    """Sinusoids of a scalar on the 0..1000 scale, then a two-layer perceptron."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(2 * NUM_FREQUENCIES, hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size)
        )

    def forward(self, x: Float[Tensor, "*shape"], *, dtype: torch.dtype) -> Float[Tensor, "*shape d"]:
        """Embedding of `x` (0..1000) in `dtype`; the sinusoids are float32, because 1000 rad needs its digits."""
        return few_rows(self.mlp, sinusoids(x).to(dtype))


def sinusoids(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape waves"]:
    """Cosines then sines of `x` at periods from 2 pi to 2 pi * 10000, float32."""
    exponent = torch.arange(NUM_FREQUENCIES, dtype=torch.float32, device=x.device) / NUM_FREQUENCIES
    angle = x.float()[..., None] * torch.exp(-math.log(MAX_PERIOD) * exponent)
    return torch.cat([angle.cos(), angle.sin()], -1)


class PooledEmbed(nn.Module):
    """Two-layer perceptron over the pooled text embedding."""

    def __init__(self, pooled_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.in_layer = nn.Linear(pooled_dim, hidden_size)
        self.out_layer = nn.Linear(hidden_size, hidden_size)

    def forward(self, pooled: Float[Tensor, "b pooled_dim"]) -> Float[Tensor, "b d"]:
        """Embedding of the pooled text."""
        return few_rows(self.out_layer, F.silu(few_rows(self.in_layer, pooled)))
