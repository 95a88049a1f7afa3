"""Held frames: given latents that stay at sigma 0 while the others are made (DESIGN: a task is a condition)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.samplers import Velocity


def hold_frames(velocity: Velocity, held: Bool[Tensor, "t"]) -> Velocity:
    """The velocity that sees sigma 0 on the held latent frames and does not move them.

    Image to video holds the first frame, first and last frame hold two, extension holds a prefix. Start the sampler
    from `place(noise, given, held)`. The inner velocity gets sigma of shape (b, t): the network takes per-frame levels.
    Raises InvalidInput when no frame is left to make, or the clip has another length.
    """
    if held.dtype != torch.bool or held.ndim != 1 or bool(held.all()):
        raise invalid(f"held={held.tolist()}", "a (t,) bool mask with at least one free frame", "free a latent frame")
    if not bool(held.any()):
        return velocity

    def held_velocity(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        _check_length(x, held)
        return velocity(x, frame_levels(sigma, held)).masked_fill(
            held.to(x.device, non_blocking=True)[:, None, None], 0
        )

    return held_velocity


def frame_levels(sigma: Float[Tensor, "b *t"], held: Bool[Tensor, "t"]) -> Float[Tensor, "b *u"]:
    """One level for each latent frame, 0 for those that are held; `sigma` as it is where none are."""
    if not bool(held.any()):
        return sigma
    return (sigma if sigma.ndim == 2 else sigma[:, None]).masked_fill(held.to(sigma.device), 0)


def place(
    x: Float[Tensor, "b c t h w"], given: Float[Tensor, "b c t h w"], held: Bool[Tensor, "t"]
) -> Float[Tensor, "b c t h w"]:
    """`x` with its held latent frames taken from `given` (whose other frames are ignored)."""
    _check_length(x, held)
    return torch.where(held.to(x.device)[:, None, None], given.to(x), x)


def _check_length(x: Tensor, held: Tensor) -> None:
    if x.shape[2] != len(held):
        raise invalid(
            f"held of {len(held)} frames", f"the latents have {x.shape[2]}", "give one entry per latent frame"
        )
