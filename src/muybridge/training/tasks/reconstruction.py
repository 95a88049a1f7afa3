"""Training a causal 3D VAE: reconstruction, features, KL.   Paper 4.1."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator
from muybridge.data.clips import ClipStream
from muybridge.vae.model import VideoVAE
from muybridge.vae.perceptual import FeatureDistance

VALIDATION_BATCH = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionWeights:
    """Weights of the terms. Means over pixels, except KL: summed over a latent cell's channels, mean over cells.

    Differs from the paper (L1 + 0.1 LPIPS + 0.05 adversarial + 1e-6 KL): squared and gradient terms settle a small
    network sooner, and noise is added to the latents so that the decoder forgives an imperfect transformer.
    """

    l1: float = 1.0
    squared: float = 1.0
    gradient: float = 0.25
    perceptual: float = 0.0
    kl: float = 1e-4
    latent_noise: float = 0.1  # largest std of the added noise, drawn uniformly per clip

    def __post_init__(self) -> None:
        if min(self.l1, self.squared, self.gradient, self.perceptual, self.kl, self.latent_noise) < 0:
            raise invalid("a negative loss weight", "weights are at least 0", "use 0 to leave a term out")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionTask:
    """The loss of a VAE on a stream of clips."""

    clips: ClipStream
    weights: ReconstructionWeights
    held_out: Float[Tensor, "b 3 f y x"]
    features: FeatureDistance | None = None
    critic: nn.Module | None = None

    def __post_init__(self) -> None:
        if self.weights.perceptual and self.features is None:
            given = f"perceptual={self.weights.perceptual}"
            raise invalid(given, "this term needs a network's features", "give features, or set the weight to 0")

    def loss(self, model: VideoVAE, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Weighted sum of the terms on the batch of `step`."""
        pixels, weights = self.clips.batch(step, batch_size=batch_size), self.weights
        draw = generator(self.clips.seed, step, "posterior")
        posterior = model.encode(pixels)
        latents = posterior.sample(draw).float()
        spread = torch.rand((len(pixels), 1, 1, 1, 1), generator=draw) * weights.latent_noise
        decoded = model.decode(latents + spread * torch.randn(latents.shape, generator=draw)).float()
        terms = {
            "l1": F.l1_loss(decoded, pixels),
            "squared": F.mse_loss(decoded, pixels),
            "gradient": gradient_distance(decoded, pixels),
            "kl": posterior.kl(),
        }
        if self.features is not None and weights.perceptual:
            terms["perceptual"] = self.features(decoded, pixels, draw)
        total = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        return total, {name: float(term.detach()) for name, term in terms.items()}

    @torch.no_grad()
    def validate(self, model: VideoVAE) -> dict[str, float]:
        """Mean over clips of PSNR in dB, and the latents' root mean square."""
        decibels, squares = [], []
        for pixels in self.held_out.split(VALIDATION_BATCH):
            latents = model.encode(pixels).mode()
            decibels.append(psnr(model.decode(latents).clamp(-1, 1), pixels))
            squares.append(latents.float().square().mean(dim=(1, 2, 3, 4)))
        return {"psnr_db": float(torch.cat(decibels).mean()), "latent_rms": float(torch.cat(squares).mean().sqrt())}


def gradient_distance(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, ""]:
    """L1 between neighbour differences in height and width: what blur hides from L1."""
    error = decoded - pixels
    return error.diff(dim=3).abs().mean() + error.diff(dim=4).abs().mean()


def psnr(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b"]:
    """Peak signal-to-noise ratio of each clip in dB; pixels in [-1, 1], so the peak is 2."""
    return 10 * torch.log10(4.0 / (decoded.float() - pixels).square().mean(dim=(1, 2, 3, 4)))
