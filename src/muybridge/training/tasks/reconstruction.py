"""Training a causal 3D VAE: reconstruction, features, a critic's verdict, KL.   Paper 4.1."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator, mix, noise
from muybridge.data.clips import PixelSource
from muybridge.evaluation.reconstruction import psnr, ssim
from muybridge.media.frames import to_uint8
from muybridge.training.tasks.windows import busy_windows
from muybridge.vae.discriminator import AdversaryConfig, critic_hinge, generator_hinge
from muybridge.vae.latents import Gaussian
from muybridge.vae.model import VideoVAE
from muybridge.vae.perceptual import FeatureDistance
from muybridge.vae.tiling import Tiling, decode_tiled, encode_tiled

VALIDATION_BATCH = 4
NUM_SAMPLES = 4  # held-out clips that are shown, each under its original
MAX_ADAPTIVE_WEIGHT = 1e4  # convention since arXiv 2012.09841
ADAPTIVE_EPSILON = 1e-4  # there too


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionWeights:
    """Weights of the terms, each a mean over the clips of a batch, and per clip:

    l1, squared, gradient: mean over pixels and colours, of values in [-1, 1]. perceptual: mean over the compared frames
    (of LPIPS, or of its stand-in's sum over depths). adversarial: mean over the critic's patches. kl: nats summed over
    a latent cell's channels, mean over cells. The paper gives weights (`paper_weights`) and no reductions. Summed over
    pixels and latents alike, as in latent diffusion's code, 1e-6 would be 768 times less again and do nothing.

    Differs from the paper by default: squared and gradient terms settle a small network sooner, and noise is added to
    the latents so that the decoder forgives an imperfect transformer.
    """

    l1: float = 1.0
    squared: float = 1.0
    gradient: float = 0.25
    perceptual: float = 0.0
    kl: float = 1e-4
    latent_noise: float = 0.1  # largest std of the added noise, drawn uniformly per clip
    adversarial: float = 0.0

    def __post_init__(self) -> None:
        weights = (self.l1, self.squared, self.gradient, self.perceptual, self.kl, self.latent_noise, self.adversarial)
        if min(weights) < 0:
            raise invalid("a negative loss weight", "weights are at least 0", "use 0 to leave a term out")


def paper_weights() -> ReconstructionWeights:
    """L1 + 0.1 perceptual + 0.05 adversarial + 1e-6 KL.   Paper 4.1.1."""
    return ReconstructionWeights(
        l1=1.0, squared=0.0, gradient=0.0, perceptual=0.1, adversarial=0.05, kl=1e-6, latent_noise=0.0
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """What the critic judges after the model's step."""

    decoded: Tensor
    pixels: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconstructionTask:
    """The loss of a VAE on batches of clips.

    critic: judges the decoded clips where `weights.adversarial` is above 0; the trainer trains it. tiled_share: of the
    steps, those that code by `tiling`'s tiles, so that tiled and whole decoding come to agree.   Paper 4.1.2.
    window_px: side of the busy windows that are trained on instead of whole clips; 0 for whole clips.
    """

    clips: PixelSource
    weights: ReconstructionWeights
    held_out: Float[Tensor, "b 3 f y x"]
    features: FeatureDistance | None = None
    critic: nn.Module | None = None
    adversary: AdversaryConfig = field(default_factory=AdversaryConfig)
    tiling: Tiling = field(default_factory=Tiling)
    tiled_share: float = 0.0
    window_px: int = 0
    num_micro_batches: int = 1
    _kept: dict[int, _Kept] = field(init=False, default_factory=dict)  # for the critic, by micro-batch
    _whole: dict[int, Tensor] = field(init=False, default_factory=dict)  # the last step's batch, by its step

    def __post_init__(self) -> None:
        if self.weights.perceptual and self.features is None:
            given = f"perceptual={self.weights.perceptual}"
            raise invalid(given, "this term needs a network's features", "give features, or set the weight to 0")
        if self.weights.adversarial and self.critic is None:
            given = f"adversarial={self.weights.adversarial}"
            raise invalid(given, "this term needs a critic", "give one, or set the weight to 0")
        if not 0 <= self.tiled_share <= 1:
            raise invalid(f"tiled_share={self.tiled_share}", "a share in [0, 1]", "use 0.5")

    @property
    def critic_start_step(self) -> int:
        """The first step at which the critic learns and is heard."""
        return self.adversary.start_step

    def loss(self, model: VideoVAE, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Weighted sum of the terms on the batch of `step`; the figures are the terms before weighting."""
        terms = self.terms(model, step, batch_size=batch_size, micro=micro)
        weights = {name: getattr(self.weights, name) for name in terms}
        figures = {name: float(term.detach()) for name, term in terms.items()}
        if "adversarial" in terms:
            weights["adversarial"] *= self.adversary.ramp(step)
            if self.adversary.is_weight_adaptive:
                figures["adaptive_weight"] = self._adaptive_weight(model, terms)
                weights["adversarial"] *= figures["adaptive_weight"]
        total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return total, figures

    def terms(self, model: VideoVAE, step: int, *, batch_size: int, micro: int = 0) -> dict[str, Tensor]:
        """The terms whose weight is not zero, unweighted, by the names of their weights."""
        pixels, first = self._rows(step, batch_size, micro)
        seed, weights, rows = self.clips.seed, self.weights, range(first, first + len(pixels))
        if self.window_px:
            draws = [generator(seed, step, row, "window") for row in rows]
            pixels = busy_windows(pixels, size_px=self.window_px, draws=draws)
        pixels = pixels.to(device_of(model))
        posterior, decoded = self._coded(model, pixels, step, seeds=[mix(seed, step, row, "posterior") for row in rows])
        terms = {
            "l1": F.l1_loss(decoded, pixels),
            "squared": F.mse_loss(decoded, pixels),
            "gradient": gradient_distance(decoded, pixels),
            "kl": posterior.kl(),
        }
        if self.features is not None and weights.perceptual:
            draws = [generator(seed, step, row, "features") for row in rows]
            terms["perceptual"] = self.features(decoded, pixels, draws)
        if self.critic is not None and weights.adversarial and step >= self.critic_start_step:
            self._kept[micro] = _Kept(decoded=decoded.detach(), pixels=pixels)
            terms["adversarial"] = generator_hinge(self.critic(decoded))
        return {name: term for name, term in terms.items() if getattr(weights, name)}

    def critic_loss(self, step: int, *, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Hinge loss on what `loss` of this step decoded, and the mean verdicts."""
        assert self.critic is not None
        kept = self._kept[micro]
        real, fake = self.critic(kept.pixels), self.critic(kept.decoded)
        figures = {"real": float(real.detach().mean()), "fake": float(fake.detach().mean())}
        return critic_hinge(real, fake), figures

    @torch.no_grad()
    def validate(self, model: VideoVAE) -> dict[str, float]:
        """Means over clips of PSNR in dB and SSIM, the distance of features, and the latents' root mean square."""
        features, found = self.features, dict[str, list[Tensor]](psnr_db=[], ssim=[], latent_rms=[])
        for first, pixels in enumerate(self.held_out.split(VALIDATION_BATCH)):
            pixels = pixels.to(device_of(model))
            latents, decoded = _round_trip(model, pixels)
            found["psnr_db"].append(psnr(decoded, pixels))
            found["ssim"].append(ssim(decoded, pixels))
            found["latent_rms"].append(latents.float().square().mean(dim=(1, 2, 3, 4)))
            if features is not None:
                draws = [generator(0, first, row, "validation") for row in range(len(pixels))]
                distance = features(decoded, pixels, draws)
                found.setdefault("perceptual", []).append(distance.expand(len(pixels)))
        figures = {name: float(torch.cat(values).mean()) for name, values in found.items()}
        return figures | {"latent_rms": figures["latent_rms"] ** 0.5}

    @torch.no_grad()
    def samples(self, model: VideoVAE) -> dict[str, np.ndarray]:
        """Held-out clips and what comes back of them."""
        pixels = self.held_out[:NUM_SAMPLES].to(device_of(model))
        decoded = torch.cat([_round_trip(model, clip)[1] for clip in pixels.split(1)])
        clips = {"original": pixels, "decoded": decoded}
        return {name: np.stack([to_uint8(film) for film in films]) for name, films in clips.items()}

    def _rows(self, step: int, batch_size: int, micro: int) -> tuple[Tensor, int]:
        """The micro-batch's pixels, and the number of its first row in the step's whole batch."""
        if step not in self._whole:
            self._whole.clear()
            self._whole[step] = self.clips.batch(step, batch_size=batch_size * self.num_micro_batches)
        parts = self._whole[step].chunk(self.num_micro_batches)
        return parts[micro], micro * len(parts[0])

    def _coded(
        self, model: VideoVAE, pixels: Tensor, step: int, *, seeds: list[int]
    ) -> tuple[Gaussian, Float[Tensor, "b 3 f y x"]]:
        """The posterior, and what is decoded of a noisy sample of it; each clip's noise comes of its own seed."""
        is_tiled = bool(torch.rand((), generator=generator(self.clips.seed, step, "tiling")) < self.tiled_share)
        posterior = encode_tiled(model, pixels, self.tiling) if is_tiled else model.encode(pixels)
        mean, shape = posterior.mean.float(), posterior.mean.shape[1:]
        drawn = noise([mix(seed, "sample") for seed in seeds], shape).to(mean)
        latents = mean + torch.exp(0.5 * posterior.logvar.float()) * drawn
        spread = torch.cat([torch.rand((1, 1, 1, 1, 1), generator=generator(seed, "spread")) for seed in seeds])
        spread = spread.to(mean) * self.weights.latent_noise
        latents = latents + spread * noise([mix(seed, "noise") for seed in seeds], shape).to(mean)
        decoded = decode_tiled(model, latents, self.tiling) if is_tiled else model.decode(latents)
        return posterior, decoded.float()

    def _adaptive_weight(self, model: VideoVAE, terms: Mapping[str, Tensor]) -> float:
        """What makes the adversarial gradient at the decoder's last layer as long as the other terms'."""
        others = [getattr(self.weights, name) * terms[name] for name in terms if name not in ("adversarial", "kl")]
        last = last_layer(model)
        wanted = gradient_norm(torch.stack(others).sum(), last)
        return min(wanted / (gradient_norm(terms["adversarial"], last) + ADAPTIVE_EPSILON), MAX_ADAPTIVE_WEIGHT)


def device_of(model: nn.Module) -> torch.device:
    """Where the model computes; batches are drawn on the CPU and moved there."""
    return next(model.parameters()).device


def last_layer(model: VideoVAE) -> Tensor:
    """The weights that the convolutions' pixels come out of, where terms are compared."""
    return model.decoder.conv_out.conv.weight


def gradient_norm(term: Tensor, parameter: Tensor) -> float:
    """Length of a term's gradient at one parameter; the graph stays."""
    (gradient,) = torch.autograd.grad(term, parameter, retain_graph=True)
    return float(gradient.float().norm())


def gradient_distance(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, ""]:
    """L1 between neighbour differences in height and width: what blur hides from L1."""
    error = decoded - pixels
    return error.diff(dim=3).abs().mean() + error.diff(dim=4).abs().mean()


def _round_trip(model: VideoVAE, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Latents of clips, and the clips as they come back, within [-1, 1]."""
    latents = model.encode(pixels).mode()
    return latents, model.decode(latents).float().clamp(-1, 1)
