"""Training a transformer to predict velocity.   Paper 5.1."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator
from muybridge.data.cache import LatentBatch, LatentCache
from muybridge.flow.loss import velocity_loss
from muybridge.flow.path import interpolate, velocity
from muybridge.flow.timesteps import draw_sigmas
from muybridge.text.encoder import TextStates
from muybridge.transformer.conditions import Conditions
from muybridge.transformer.model import Transformer

VALIDATION_SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)
VALIDATION_BATCH = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowConfig:
    """How noise levels are drawn and what is left out."""

    draw: Literal["logit_normal", "uniform", "mix"] = "mix"
    shift: float = 2.0
    caption_dropout: float = 0.1  # paper-sized models use the same share for classifier-free guidance
    image_share: float = 0.1  # of steps, which see only the first latent frame: a picture
    num_latent_frames: int | None = None  # keep this many of each clip; None keeps all

    def __post_init__(self) -> None:
        for name in ("caption_dropout", "image_share"):
            if not 0 <= getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "a share in [0, 1)", "use 0.1")


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowTask:
    """Velocity loss on cached latents; noise, sigma and dropout are functions of (seed, step)."""

    cache: LatentCache
    held_out: LatentCache
    empty: TextStates
    config: FlowConfig
    seed: int
    critic: None = None

    def loss(
        self, model: Transformer, step: int, *, batch_size: int, micro: int = 0
    ) -> tuple[Tensor, dict[str, float]]:
        """Mean squared velocity error on the batch of `step`."""
        draw = generator(self.seed, step, "flow")
        batch = self.cache.batch(step, batch_size=batch_size, seed=self.seed)
        is_image = bool(torch.rand((), generator=draw) < self.config.image_share)
        latents = batch.latents[:, :, : 1 if is_image else self.config.num_latent_frames]
        is_dropped = torch.rand(batch_size, generator=draw) < self.config.caption_dropout
        sigma = draw_sigmas(batch_size, generator=draw, method=self.config.draw, shift=self.config.shift)
        noise = torch.randn(latents.shape, generator=draw)
        conditions = conditions_of(batch, self.empty, is_dropped)
        predicted = model(interpolate(latents, noise, sigma), sigma, conditions)
        loss = velocity_loss(predicted.float(), velocity(latents, noise))
        return loss, {}

    @torch.no_grad()
    def validate(self, model: Transformer) -> dict[str, float]:
        """Velocity loss on held-out combinations at fixed noise levels and fixed noise."""
        batch = self.held_out.gather(torch.arange(min(VALIDATION_BATCH, len(self.held_out))))
        noise = torch.randn(batch.latents.shape, generator=generator(self.seed, "validation"))
        conditions = conditions_of(batch, self.empty, torch.zeros(len(noise), dtype=torch.bool))
        losses = {}
        for level in VALIDATION_SIGMAS:
            sigma = torch.full((len(noise),), level)
            with torch.autocast(noise.device.type, torch.bfloat16):
                predicted = model(interpolate(batch.latents, noise, sigma), sigma, conditions)
            losses[f"val_{level}"] = float(velocity_loss(predicted.float(), velocity(batch.latents, noise)))
        return {"val": sum(losses.values()) / len(losses), **losses}


def conditions_of(batch: LatentBatch, empty: TextStates, is_dropped: Bool[Tensor, "b"]) -> Conditions:
    """The batch's text, with the dropped captions replaced by those of the empty prompt."""
    text, mask, pooled = batch.text.clone(), batch.text_mask.clone(), batch.pooled.clone()
    kept = empty.states[0][empty.mask[0]].float()
    text[is_dropped], mask[is_dropped] = 0.0, False
    text[is_dropped, : len(kept)], mask[is_dropped, : len(kept)] = kept, True
    pooled[is_dropped] = empty.pooled[0].float()
    return Conditions(text=text, text_mask=mask, pooled=pooled, guidance=None)
