"""Films as they look while they are made: the data that the last velocity points to, at a glance."""

import time
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from muybridge.core.env import cache_folder
from muybridge.core.files import atomic_path
from muybridge.flow.samplers import Velocity
from muybridge.media.frames import Frames, to_uint8
from muybridge.vae import VideoVAE
from muybridge.vae.glance import Matrix, fit_to, glance

KEPT_FROM_S = 2.0  # matrices that took longer are kept in the cache

Evaluated = tuple[Tensor, Tensor, Tensor]  # latents, levels, velocities


class Glances:
    """Gives glances of films by the matrix of one VAE, which is fitted when it is first asked for."""

    def __init__(self, vae: VideoVAE, *, identity: str | None) -> None:
        """`identity` tells the VAE's weights from others; None keeps no matrix of theirs in the cache."""
        self._vae, self._identity = vae, identity
        self._matrix: Matrix | None = None

    @torch.inference_mode()
    def of(self, latents: Float[Tensor, "c t h w"]) -> Frames:
        """Small frames (1+4(t-1), 2h, 2w, 3) of latents at the transformer's scale."""
        if self._matrix is None:
            known = self._known()
            self._matrix = self._fitted() if known is None else known
        return to_uint8(glance(latents[None], self._matrix)[0])

    def _known(self) -> Matrix | None:
        if self._identity is None or not self._path.exists():
            return None
        try:
            with safe_open(self._path, framework="pt") as file:
                return file.get_tensor("matrix")
        except (OSError, SafetensorError):
            return None

    def _fitted(self) -> Matrix:
        started = time.monotonic()
        matrix = fit_to(self._vae)
        if self._identity is not None and time.monotonic() - started > KEPT_FROM_S:
            with atomic_path(self._path) as temporary:
                save_file({"matrix": matrix.contiguous()}, temporary)
        return matrix

    @property
    def _path(self) -> Path:
        return cache_folder() / "glances" / f"{self._identity}.safetensors"


class Sight:
    """Remembers where a run of films is, and shows it to whoever asks; nothing is computed before."""

    def __init__(self, glances: Glances) -> None:
        self._glances = glances
        self._last: Evaluated | None = None

    def around(self, velocity: Velocity) -> Velocity:
        """The velocity that a sampler asks for, watched."""

        def watched(x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
            v = velocity(x, sigma)
            self._last = x, sigma, v
            return v

        return watched

    def frames(self, film: int = 0) -> Frames:
        """Small uint8 frames of a film of the batch, all of them, as its last velocity predicts it.

        Not the noisy latents x but the data that they are on the way to, x - sigma v, at a quarter of its sides.
        The first look at a model fits the small decoder to its VAE (`vae.glance.fit_to` says how long that takes).
        """
        assert self._last is not None
        x, sigma, v = (part[film] for part in self._last)
        level = sigma.to(x) if sigma.ndim == 0 else sigma.to(x)[:, None, None]
        return self._glances.of(x - level * v)
