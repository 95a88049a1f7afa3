"""The causal 3D VAE."""

from muybridge.vae.config import VAEConfig
from muybridge.vae.latents import Gaussian, to_model, to_vae
from muybridge.vae.model import VideoVAE

__all__ = ["Gaussian", "VAEConfig", "VideoVAE", "to_model", "to_vae"]
