"""Frames to latents and back: a model's VAE, at the scale that its transformer is trained on."""

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.media.frames import Frames, from_uint8
from muybridge.pipelines.components import Components
from muybridge.vae import modes, to_model, to_vae


@torch.inference_mode()
def encoded(components: Components, frames: Frames) -> Float[Tensor, "c t h w"]:
    """Latents at the transformer's scale, float32 on the host: the mode of what the VAE makes of the frames."""
    vae = components.vae
    pixels = from_uint8(frames)[None].to(next(vae.parameters()))
    moments = modes.encode(vae, pixels, mode=components.run.vae_mode, tiling=components.tiling)
    return to_model(moments.mode(), vae.config)[0].float().cpu().clone()


@torch.inference_mode()
def decoded(
    components: Components, latents: Float[Tensor, "b c t h w"], *, mode: modes.Mode | None = None
) -> Float[Tensor, "b 3 f y x"]:
    """Pixels, nominally in [-1, 1], float32, of latents at the transformer's scale; one film at a time.

    mode: one of `vae.modes`; left out, the model's.
    """
    vae = components.vae
    unscaled = to_vae(latents, vae.config).to(next(vae.parameters()))
    return modes.decode(vae, unscaled, mode=mode or components.run.vae_mode, tiling=components.tiling).float()
