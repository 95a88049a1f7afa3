"""HunyuanVideo-1.5's VAE: 1+4n frames of 16m x 16k pixels to 1+n latent frames of m x k cells of 32 channels.

It has the names of the released checkpoint and the calls of `VideoVAE`. Its norms see one cell at a time and its
convolutions and attention no later frame, so it is causal: later frames never change earlier latents.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.latents import Gaussian
from muybridge.vae.model import check_latents, check_pixels
from muybridge.vae.shuffle_blocks import (
    ChannelNorm,
    DownLevel,
    Middle,
    Ratio,
    ShuffleDown,
    ShuffleUp,
    UpLevel,
    averaged,
    repeated,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShuffleVAEConfig:
    """Defaults are the released VAE of HunyuanVideo-1.5: 1,260,634,115 parameters in 218 tensors.

    block_channels: of the encoder's levels, one more than it halves the sides; the decoder has them backwards.
    spatial_ratio, temporal_ratio: pixels per latent cell each way, and frames per latent frame; powers of two.
    Raises InvalidInput where the numbers do not fit together.
    """

    block_channels: tuple[int, ...] = (128, 256, 512, 1024, 1024)
    layers_per_block: int = 2
    latent_channels: int = 32
    spatial_ratio: int = 16
    temporal_ratio: int = 4
    scaling_factor: float = 1.03682

    def __post_init__(self) -> None:
        for name in ("layers_per_block", "latent_channels"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "at least 1", "use 2 and 32 for the released weights")
        if not 0 < self.scaling_factor < math.inf:
            raise invalid(f"scaling_factor={self.scaling_factor}", "must be positive", "use 1.03682")
        for name in ("spatial_ratio", "temporal_ratio"):
            if (ratio := getattr(self, name)) < 1 or ratio & (ratio - 1):
                raise invalid(f"{name}={ratio}", "a power of two", "use 16 and 4")
        if self.temporal_ratio > self.spatial_ratio:
            raise invalid(f"temporal_ratio={self.temporal_ratio}", "at most spatial_ratio", f"use {self.spatial_ratio}")
        self._check_channels()

    def _check_channels(self) -> None:
        channels = self.block_channels
        if len(channels) != len(self.ratios()) + 1 or min(channels) < 1:
            rule = f"needs {len(self.ratios()) + 1} levels of channels for spatial_ratio={self.spatial_ratio}"
            raise invalid(f"block_channels={channels}", rule, "add or remove levels")
        if channels[-1] % (2 * self.latent_channels):
            rule = f"the last is a multiple of 2 * latent_channels={2 * self.latent_channels}"
            raise invalid(f"block_channels={channels}", rule, "change either")
        for (outer, inner), ratio in zip(pairwise(channels), self.ratios(), strict=True):
            volume = math.prod(ratio)
            if inner % volume or (outer * volume) % inner:
                rule = f"{inner} is a multiple of {volume} that divides {outer * volume}"
                raise invalid(f"block_channels={channels}", rule, "double or keep the channels from level to level")

    def ratios(self) -> list[Ratio]:
        """(t, h, w) reduction after each level of the encoder but the last; the decoder enlarges by them backwards."""
        num_spatial, num_temporal = self.spatial_ratio.bit_length() - 1, self.temporal_ratio.bit_length() - 1
        return [(2 if index >= num_spatial - num_temporal else 1, 2, 2) for index in range(num_spatial)]


class ShuffleEncoder(nn.Module):
    """Levels from fine to coarse, the middle, and a convolution to 2 x latent_channels moments."""

    def __init__(self, config: ShuffleVAEConfig) -> None:
        super().__init__()
        channels, top = config.block_channels, config.block_channels[-1]
        self.conv_in = CausalConv3d(3, channels[0])
        samplers = [ShuffleDown(*ends, ratio) for ends, ratio in zip(pairwise(channels), config.ratios(), strict=True)]
        self.down = nn.ModuleList(
            DownLevel(width, config.layers_per_block, sampler)
            for width, sampler in zip(channels, [*samplers, None], strict=True)
        )
        self.mid = Middle(top)
        self.norm_out = ChannelNorm(top)
        self.conv_out = CausalConv3d(top, 2 * config.latent_channels)

    def forward(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b m t h w"]:
        """Moments, m = 2 x latent_channels."""
        x = self.conv_in(pixels)
        for level in self.down:
            x = level(x)
        x = self.mid(x)
        moments = self.conv_out(F.silu(self.norm_out(x)))
        return moments + averaged(x, moments.shape[1])


class ShuffleDecoder(nn.Module):
    """The middle, levels from coarse to fine with one more resnet than the encoder's, and a convolution to pixels."""

    def __init__(self, config: ShuffleVAEConfig) -> None:
        super().__init__()
        channels, ratios = config.block_channels[::-1], config.ratios()[::-1]
        self.conv_in = CausalConv3d(config.latent_channels, channels[0])
        self.mid = Middle(channels[0])
        samplers = [ShuffleUp(*ends, ratio) for ends, ratio in zip(pairwise(channels), ratios, strict=True)]
        self.up = nn.ModuleList(
            UpLevel(width, config.layers_per_block + 1, sampler)
            for width, sampler in zip(channels, [*samplers, None], strict=True)
        )
        self.norm_out = ChannelNorm(channels[-1])
        self.conv_out = CausalConv3d(channels[-1], 3)

    def forward(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b 3 f y x"]:
        """Pixels, nominally in [-1, 1]."""
        x = self.conv_in(latents)
        x = self.mid(x + repeated(latents, x.shape[1]))
        for level in self.up:
            x = level(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class ShuffleVAE(nn.Module):
    """Encoder and decoder with the released parameter names; one picture is one latent frame."""

    def __init__(self, config: ShuffleVAEConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ShuffleVAEConfig()
        self.encoder = ShuffleEncoder(config)
        self.decoder = ShuffleDecoder(config)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype the network computes in."""
        return self.encoder.conv_in.conv.weight.dtype

    def blocks(self) -> Iterator[nn.Module]:
        """The encoder's then the decoder's levels, for what is applied from outside."""
        yield from (*self.encoder.down, self.encoder.mid)
        yield from (self.decoder.mid, *self.decoder.up)

    def encode(self, pixels: Float[Tensor, "b 3 f y x"]) -> Gaussian:
        """Posterior over unscaled latents (b, c, 1+n, y/16, x/16) of pixels in [-1, 1], f = 1+4n.

        Computed in the dtype of the parameters. Raises InvalidInput on another number of channels or frames, or sides
        that are not multiples of the spatial ratio.
        """
        return Gaussian.from_moments(self.moments(pixels))

    def moments(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b m t h w"]:
        """Mean and log-variance, not yet clamped, side by side: what `encode` splits. Raises as `encode`."""
        config = self.config
        check_pixels(pixels, spatial_ratio=config.spatial_ratio, temporal_ratio=config.temporal_ratio)
        return self.encoder(pixels.to(self.dtype))

    def decode(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b 3 f y x"]:
        """Pixels (b, 3, 1+4(t-1), 16h, 16w), nominally in [-1, 1], of unscaled latents.

        Computed in the dtype of the parameters. Raises InvalidInput on another number of channels.
        """
        check_latents(latents, self.config.latent_channels)
        return self.decoder(latents.to(self.dtype))
