"""The causal 3D VAE: 1+4n frames of 8m x 8k pixels to 1+n latent frames of m x k cells.   Paper 4.1."""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO, check_num_frames, check_size
from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.config import VAEConfig
from muybridge.vae.decoder import Decoder
from muybridge.vae.encoder import Encoder
from muybridge.vae.latents import Gaussian
from muybridge.vae.stem import depth_to_space

PATCH = (TEMPORAL_RATIO, SPATIAL_RATIO, SPATIAL_RATIO)


class VideoVAE(nn.Module):
    """Encoder and decoder with the released parameter names; one picture is one latent frame."""

    def __init__(self, config: VAEConfig | None = None):
        super().__init__()
        self.config = config = config or VAEConfig()
        channels = config.latent_channels
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv3d(2 * channels, 2 * channels, 1)
        self.post_quant_conv = nn.Conv3d(channels, channels, 1)
        if config.has_linear_path:
            self.linear_in = nn.Conv3d(3, channels, PATCH, PATCH)
            self.linear_out = CausalConv3d(channels, 3 * math.prod(PATCH))

    @property
    def dtype(self) -> torch.dtype:
        """The dtype the network computes in."""
        return self.quant_conv.weight.dtype

    def blocks(self) -> Iterator[nn.Module]:
        """The encoder's then the decoder's blocks, for what is applied from outside (recompute, sharding, offload)."""
        yield from (*self.encoder.down_blocks, self.encoder.mid_block)
        yield from (self.decoder.mid_block, *self.decoder.up_blocks)

    def encode(self, pixels: Float[Tensor, "b 3 f y x"]) -> Gaussian:
        """Posterior over unscaled latents (b, c, 1+n, y/8, x/8) of pixels in [-1, 1], f = 1+4n.

        Computed in the dtype of the parameters. Raises InvalidInput on another number of channels or
        frames, or sides that are not multiples of 8.
        """
        return Gaussian.from_moments(self.moments(pixels))

    def moments(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b m t h w"]:
        """Mean and log-variance, not yet clamped, side by side: what `encode` splits. Raises as `encode`."""
        check_pixels(pixels)
        pixels = pixels.to(self.dtype)
        moments = self.quant_conv(self.encoder(pixels))
        if not self.config.has_linear_path:
            return moments
        mean, logvar = moments.chunk(2, dim=1)
        return torch.cat([mean + self.linear_latents(pixels), logvar], dim=1)

    def decode(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b 3 f y x"]:
        """Pixels (b, 3, 1+4(t-1), 8h, 8w), nominally in [-1, 1], of unscaled latents.

        Computed in the dtype of the parameters. Raises InvalidInput on another number of channels.
        """
        check_latents(latents, self.config.latent_channels)
        latents = latents.to(self.dtype)
        pixels = self.decoder(self.post_quant_conv(latents))
        if not self.config.has_linear_path:
            return pixels
        return pixels + depth_to_space(self.linear_out(latents), PATCH)

    def linear_latents(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b c t h w"]:
        """The linear path's share of the latents."""
        return self.linear_in(F.pad(pixels, (0, 0, 0, 0, TEMPORAL_RATIO - 1, 0), mode="replicate"))


def check_pixels(pixels: Tensor, *, spatial_ratio: int = SPATIAL_RATIO, temporal_ratio: int = TEMPORAL_RATIO) -> None:
    """Raises InvalidInput unless they are films (b, 3, 1+4n, 8m, 8k) of floating numbers, or of other ratios."""
    if pixels.ndim != 5 or pixels.shape[1] != 3:
        raise invalid(f"pixels {tuple(pixels.shape)}", "must be (b, 3, f, y, x)", "a picture is a film of one frame")
    if not pixels.is_floating_point():
        raise invalid(f"pixels of {pixels.dtype}", "must be floating, in [-1, 1]", "use media.frames.from_uint8")
    check_num_frames(pixels.shape[2], ratio=temporal_ratio)
    check_size(pixels.shape[4], pixels.shape[3], multiple=spatial_ratio)


def check_latents(latents: Tensor, channels: int) -> None:
    """Raises InvalidInput unless they are (b, channels, t, h, w)."""
    if latents.ndim != 5 or latents.shape[1] != channels:
        raise invalid(f"latents {tuple(latents.shape)}", f"must be (b, {channels}, t, h, w)", "use this VAE's own")
