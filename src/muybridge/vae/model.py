"""The causal 3D VAE: 1+4n frames of 8m x 8k pixels to 1+n latent frames of m x k cells.   Paper 4.1."""

import math

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

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

    def encode(self, pixels: Float[Tensor, "b 3 f y x"]) -> Gaussian:
        """Posterior over unscaled latents (b, c, 1+n, y/8, x/8) of pixels in [-1, 1], f = 1+4n.

        Raises InvalidInput on another number of frames or sides that are not multiples of 8.
        """
        check_num_frames(pixels.shape[2])
        check_size(pixels.shape[4], pixels.shape[3], multiple=SPATIAL_RATIO)
        posterior = Gaussian.from_moments(self.quant_conv(self.encoder(pixels)))
        if not self.config.has_linear_path:
            return posterior
        return Gaussian(mean=posterior.mean + self.linear_latents(pixels), logvar=posterior.logvar)

    def decode(self, latents: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b 3 f y x"]:
        """Pixels (b, 3, 1+4(t-1), 8h, 8w), nominally in [-1, 1], of unscaled latents."""
        pixels = self.decoder(self.post_quant_conv(latents))
        if not self.config.has_linear_path:
            return pixels
        return pixels + depth_to_space(self.linear_out(latents), PATCH)

    def linear_latents(self, pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b c t h w"]:
        """The linear path's share of the latents."""
        return self.linear_in(F.pad(pixels, (0, 0, 0, 0, TEMPORAL_RATIO - 1, 0), mode="replicate"))
