"""What the encoder gives, and the scale the transformer sees."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.vae.config import VAEConfig

LOGVAR_RANGE = (-30.0, 20.0)  # released


@dataclass(frozen=True, kw_only=True, slots=True)
class Gaussian:
    """Diagonal posterior over unscaled latents (b, c, t, h, w)."""

    mean: Float[Tensor, "b c t h w"]
    logvar: Float[Tensor, "b c t h w"]

    @classmethod
    def from_moments(cls, moments: Float[Tensor, "b m t h w"]) -> "Gaussian":
        """Split 2c channels into mean and log-variance, the latter clamped to [-30, 20] as released."""
        mean, logvar = moments.chunk(2, dim=1)
        return cls(mean=mean, logvar=logvar.clamp(*LOGVAR_RANGE))

    def mode(self) -> Float[Tensor, "b c t h w"]:
        """The mean."""
        return self.mean

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "b c t h w"]:
        """mean + std * noise, noise drawn on the CPU in float32 (DESIGN law 4)."""
        noise = torch.randn(self.mean.shape, generator=generator).to(self.mean)
        return self.mean + torch.exp(0.5 * self.logvar) * noise

    def kl(self) -> Float[Tensor, ""]:
        """KL divergence to the standard normal, summed over a latent cell's channels, averaged over cells; in nats."""
        terms = 0.5 * (self.mean.float() ** 2 + self.logvar.float().exp() - 1.0 - self.logvar.float())
        return terms.sum(dim=1).mean()


def to_model(latents: Float[Tensor, "b c t h w"], config: VAEConfig) -> Float[Tensor, "b c t h w"]:
    """Unscaled latents to the scale that the transformer is trained on."""
    return latents * config.scaling_factor


def to_vae(latents: Float[Tensor, "b c t h w"], config: VAEConfig) -> Float[Tensor, "b c t h w"]:
    """Transformer-scale latents to what `VideoVAE.decode` takes."""
    return latents / config.scaling_factor
