"""What a transformer draws while it is trained: films of held-out captions, beside what the VAE makes of the originals.

Films are made one after another and decoded one after another, the VAE opened for that alone, and nothing is kept for a
backward pass; so a sheet takes less memory than the training steps around it, whose gradients are gone by then.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import mix, noise
from muybridge.data.cache import LatentBatch
from muybridge.flow.held import hold_frames, place
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.media.frames import to_uint8
from muybridge.pipelines.denoise import Plan, Prompts, guided_velocity
from muybridge.text.encoder import TextStates
from muybridge.transformer.model import Transformer
from muybridge.vae.latents import to_vae
from muybridge.vae.model import VideoVAE
from muybridge.vae.tiling import decode_tiled, released_tiling

NUM_SHOWN = 4  # held-out samples
NUM_STEPS = 12  # of Euler: enough to see what is drawn, a third of a film's usual
GUIDANCE_SCALE = 3.0  # gallop's own; 1 where no caption is ever left out in training, so that none can be

OpenVAE = Callable[[], VideoVAE]


@dataclass(frozen=True, kw_only=True, slots=True)
class Showing:
    """How films are drawn: the empty caption's states, the shift by visual tokens, whether frames are given too."""

    empty: TextStates
    shift_of: Callable[[int], float]
    guidance_scale: float
    gives_frames: bool
    seed: int
    num_steps: int = NUM_STEPS

    def films(self, model: Transformer, batches: Sequence[LatentBatch], open_vae: OpenVAE) -> dict[str, np.ndarray]:
        """uint8 (1, t, h, w, 3): each held-out sample, what is drawn of its caption, and from its first frame too."""
        latents = {
            f"{number} {kind}": drawn.cpu()
            for number, sample in enumerate(leading(batches, NUM_SHOWN), start=1)
            for kind, drawn in self._versions(model, sample)
        }
        vae = open_vae().to(model.device)
        return {name: _decoded(vae, each)[None] for name, each in latents.items()}

    def _versions(self, model: Transformer, sample: LatentBatch) -> Iterator[tuple[str, Float[Tensor, "1 c t h w"]]]:
        num_frames = sample.latents.shape[2]
        yield "held out", sample.latents
        yield "drawn", self.draw(model, sample, num_held=0)
        if self.gives_frames and num_frames > 1:
            yield "drawn from its first frame", self.draw(model, sample, num_held=1)

    @torch.inference_mode()
    def draw(self, model: Transformer, sample: LatentBatch, *, num_held: int) -> Float[Tensor, "1 c t h w"]:
        """Latents of a single sample's caption, its first `num_held` latent frames given."""
        num_tokens = math.prod(sample.latents.shape[2:]) // math.prod(model.config.patch_size)
        shift, seed = self.shift_of(num_tokens), mix(self.seed, "samples")
        plan = Plan(num_steps=self.num_steps, shift=shift, sampler="euler", guidance=None, cfg=self.guidance_scale)
        text = TextStates(states=sample.text, mask=sample.text_mask, pooled=sample.pooled)
        prompts = Prompts(positive=text, negative=None if self.guidance_scale == 1 else self.empty)
        held = torch.arange(sample.latents.shape[2]) < num_held
        velocity = hold_frames(guided_velocity(model, prompts, plan), held)
        start = place(noise([seed], sample.latents.shape[1:]), sample.latents, held).to(model.device)
        with torch.autocast(model.device.type, torch.bfloat16):
            return euler(velocity, start, inference_sigmas(self.num_steps, shift=shift))


def leading(batches: Sequence[LatentBatch], num: int) -> list[LatentBatch]:
    """The first `num` samples, each a batch of its own, the batches in turns so that every shape is among them."""
    longest = max(len(batch.latents) for batch in batches)
    pairs = ((batch, row) for row in range(longest) for batch in batches if row < len(batch.latents))
    return [batch.each(lambda tensor, row=row: tensor[row : row + 1]) for batch, row in islice(pairs, num)]


@torch.inference_mode()
def _decoded(vae: VideoVAE, latents: Float[Tensor, "1 c t h w"]) -> np.ndarray:
    """The film, uint8 (t, h, w, 3)."""
    unscaled, tiling = to_vae(latents, vae.config).to(next(vae.parameters())), released_tiling(vae.config)
    pixels = vae.decode(unscaled) if tiling is None else decode_tiled(vae, unscaled, tiling)
    return to_uint8(pixels.float()[0])
