"""The VAE that decodes what a transformer draws while it is trained."""

from pathlib import Path

from muybridge.core.errors import MuybridgeError
from muybridge.data.encoders import vae_identity
from muybridge.recipes.sources import Say
from muybridge.weights.load import load_vae


def decoder_of(latents: str, path: Path, *, say: Say) -> Path | None:
    """`path`, where it holds the VAE that made the latents, by its identity; else None, and a line that says why.

    A VAE with another decoder for the same latents will do.
    """
    try:
        found = vae_identity(load_vae(path))
    except MuybridgeError as error:
        say(f"no sample sheets will be drawn, for no VAE can be read: {error}")
        return None
    if found != latents:
        say(f"no sample sheets will be drawn, for another VAE than that of {path} made the latents")
        return None
    return path
