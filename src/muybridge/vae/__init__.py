"""The causal 3D VAE, and that of HunyuanVideo-1.5."""

from muybridge.vae.config import VAEConfig
from muybridge.vae.latents import Gaussian, to_model, to_vae
from muybridge.vae.model import VideoVAE
from muybridge.vae.shuffle import ShuffleVAE, ShuffleVAEConfig

__all__ = ["Gaussian", "ShuffleVAE", "ShuffleVAEConfig", "VAEConfig", "VideoVAE", "to_model", "to_vae"]
