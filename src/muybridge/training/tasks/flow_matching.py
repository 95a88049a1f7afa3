"""Training a transformer to predict velocity.   Paper 5.1."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator
from muybridge.data.cache import LatentBatch
from muybridge.data.latents import LatentSource
from muybridge.flow.loss import velocity_loss
from muybridge.flow.path import interpolate, velocity
from muybridge.flow.timesteps import draw_held, draw_sigmas, tokens_shift
from muybridge.text.encoder import TextStates
from muybridge.training.tasks.showing import GUIDANCE_SCALE, OpenVAE, Showing
from muybridge.transformer.conditions import Conditions
from muybridge.transformer.model import Transformer

VALIDATION_SIGMAS = (0.1, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowConfig:
    """How noise levels are drawn, what is left out, what is given, and what weighs how much."""

    draw: Literal["logit_normal", "uniform", "mix"] = "mix"
    shift: float = 2.0
    caption_dropout: float = 0.1  # paper-sized models use the same share for classifier-free guidance
    image_share: float = 0.1  # of steps, which see only the first latent frame: a picture
    num_latent_frames: int | None = None  # keep this many of each clip; None keeps all
    held_share: float = 0.0  # of clips that give some of their frames: image to video, extension (flow.timesteps)
    shift_tokens: int = 0  # visual tokens for which `shift` is right, others take a like one; 0: all take `shift`
    loss_tokens: int = 0  # the loss is the sum over a step's tokens by this, so all weigh the same; 0: samples do

    def __post_init__(self) -> None:
        for name in ("caption_dropout", "image_share", "held_share"):
            if not 0 <= getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "a share in [0, 1)", "use 0.1")
        for name in ("shift_tokens", "loss_tokens"):
            if getattr(self, name) < 0:
                raise invalid(f"{name}={getattr(self, name)}", "a number of tokens, or 0", "use 0")

    def shift_of(self, num_tokens: int) -> float:
        """The shift of clips of so many visual tokens."""
        if not self.shift_tokens:
            return self.shift
        return tokens_shift(num_tokens, shift=self.shift, reference_tokens=self.shift_tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """The rows of one step: captioned latents, and all that is random about them."""

    batch: LatentBatch
    latents: Float[Tensor, "b c t h w"]
    noise: Float[Tensor, "b c t h w"]
    sigma: Float[Tensor, " b"]
    is_dropped: Bool[Tensor, " b"]
    held: Bool[Tensor, "b t"]

    def rows(self, first: int, last: int) -> "Drawn":
        """Some of them."""
        return self._each(lambda tensor: tensor[first:last])

    def to(self, device: torch.device) -> "Drawn":
        """The rows where the network is; drawn on the CPU, they are the same for every device."""
        return self._each(lambda tensor: tensor.to(device))

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Drawn":
        own = {field.name: change(getattr(self, field.name)) for field in fields(self) if field.name != "batch"}
        return Drawn(batch=self.batch.each(change), **own)


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowTask:
    """Velocity loss on cached latents; noise, sigma, held frames and dropout are functions of (seed, step) and the row.

    held_out: batches of one shape each, never trained on. open_vae: opens what made the latents, for samples.
    num_micro_batches: in how many parts the trainer asks for a step's rows. The draws are those of the whole step, so
    the parts' mean is the whole batch's loss.
    """

    cache: LatentSource
    held_out: tuple[LatentBatch, ...]
    empty: TextStates
    config: FlowConfig
    seed: int
    open_vae: OpenVAE | None = None
    num_micro_batches: int = 1
    critic: None = None

    def loss(
        self, model: Transformer, step: int, *, batch_size: int, micro: int = 0
    ) -> tuple[Tensor, dict[str, float]]:
        """Mean squared velocity error over the learned frames of the rows of `step` that `micro` names.

        A source of several scales gives each its own number of rows, whatever `batch_size` is. Raises InvalidInput
        where they cannot be split into the micro-batches.
        """
        patch_volume = math.prod(model.config.patch_size)
        drawn = self._draw(step, batch_size * self.num_micro_batches, patch_volume=patch_volume)
        part = _part(drawn, micro, self.num_micro_batches).to(model.device)
        sigma = part.sigma if not self.config.held_share else part.sigma[:, None].masked_fill(part.held, 0.0)
        conditions = conditions_of(part.batch, self.empty, part.is_dropped)
        predicted = model(interpolate(part.latents, part.noise, sigma), sigma, conditions)
        loss = velocity_loss(
            predicted.float(), velocity(part.latents, part.noise),
            counted=~part.held if self.config.held_share else None,
            num_cells=self.config.loss_tokens * patch_volume / self.num_micro_batches or None,
        )  # fmt: skip
        return loss, {}

    def _draw(self, step: int, batch_size: int, *, patch_volume: int) -> Drawn:
        """All rows of a step."""
        config, draw = self.config, generator(self.seed, step, "flow")
        batch = self.cache.batch(step, batch_size=batch_size, seed=self.seed)
        is_image = bool(torch.rand((), generator=draw) < config.image_share)
        latents = batch.latents[:, :, : 1 if is_image else config.num_latent_frames]
        num, num_frames = latents.shape[0], latents.shape[2]
        is_dropped = torch.rand(num, generator=draw) < config.caption_dropout
        shift = config.shift_of(math.prod(latents.shape[2:]) // patch_volume)
        sigma = draw_sigmas(num, generator=draw, method=config.draw, shift=shift)
        noise = torch.randn(latents.shape, generator=draw)
        held = draw_held(num, num_frames, generator=generator(self.seed, step, "held"), share=config.held_share)
        return Drawn(batch=batch, latents=latents, noise=noise, sigma=sigma, is_dropped=is_dropped, held=held)

    @torch.no_grad()
    def validate(self, model: Transformer) -> dict[str, float]:
        """Velocity loss on held-out samples at fixed noise levels and fixed noise; each batch counts by its rows."""
        num = sum(len(batch.latents) for batch in self.held_out)
        losses = {f"val_{level}": 0.0 for level in VALIDATION_SIGMAS}
        for number, held_out in enumerate(self.held_out):
            words = ("validation", number) if number else ("validation",)
            noise = torch.randn(held_out.latents.shape, generator=generator(self.seed, *words)).to(model.device)
            batch = held_out.each(lambda tensor: tensor.to(model.device))
            for level, loss in zip(VALIDATION_SIGMAS, self._losses(model, batch, noise), strict=True):
                losses[f"val_{level}"] += loss * (len(noise) / num)
        return {"val": sum(losses.values()) / len(losses), **losses}

    def _losses(self, model: Transformer, batch: LatentBatch, noise: Float[Tensor, "b c t h w"]) -> list[float]:
        """The batch's loss at each of the fixed levels."""
        conditions = conditions_of(batch, self.empty, torch.zeros(len(noise), dtype=torch.bool, device=noise.device))
        losses = []
        for level in VALIDATION_SIGMAS:
            sigma = torch.full((len(noise),), level, device=noise.device)
            with torch.autocast(noise.device.type, torch.bfloat16):
                predicted = model(interpolate(batch.latents, noise, sigma), sigma, conditions)
            losses.append(float(velocity_loss(predicted.float(), velocity(batch.latents, noise))))
        return losses

    def samples(self, model: Transformer) -> dict[str, np.ndarray]:
        """Held-out samples and what is drawn of their captions, by `tasks.showing`; none without a VAE."""
        if self.open_vae is None:
            return {}
        showing = Showing(
            empty=self.empty,
            shift_of=self.config.shift_of,
            guidance_scale=GUIDANCE_SCALE if self.config.caption_dropout else 1.0,
            gives_frames=self.config.held_share > 0,
            seed=self.seed,
        )
        return showing.films(model, self.held_out, self.open_vae)


def _part(drawn: Drawn, micro: int, num_micro_batches: int) -> Drawn:
    """The rows of one micro-batch."""
    num = len(drawn.latents)
    if num % num_micro_batches:
        given, rule = f"a batch of {num} rows", f"is split into {num_micro_batches} micro-batches"
        raise invalid(given, rule, "make its size a multiple")
    size = num // num_micro_batches
    return drawn if num_micro_batches == 1 else drawn.rows(micro * size, (micro + 1) * size)


def conditions_of(batch: LatentBatch, empty: TextStates, is_dropped: Bool[Tensor, "b"]) -> Conditions:
    """The batch's text, with the dropped captions replaced by those of the empty prompt."""
    text, mask, pooled = batch.text.clone(), batch.text_mask.clone(), batch.pooled.clone()
    kept = empty.states[0][empty.mask[0]].to(text)
    text[is_dropped], mask[is_dropped] = 0.0, False
    text[is_dropped, : len(kept)], mask[is_dropped, : len(kept)] = kept, True
    pooled[is_dropped] = empty.pooled[0].to(pooled)
    return Conditions(text=text, text_mask=mask, pooled=pooled, guidance=None)
