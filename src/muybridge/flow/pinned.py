"""Pinned cells: parts of a frame that are known, beside others that are made (inpainting in latent space)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.flow.samplers import Velocity


def pin_cells(velocity: Velocity, made: Bool[Tensor, "b t h w"], *, path: Float[Tensor, "b c t h w"]) -> Velocity:
    """The velocity of `velocity` in cells that are made, and `path` in all others.

    A known cell moves from its noise to its data on x(sigma) = (1 - sigma) data + sigma noise, hence at the constant
    v = dx/dsigma = noise - data = `path`, wherever the others go. Every sampler is exact on a constant field, so the
    cell is at x(sigma) at every level, as noisy as the network expects of it there, and lands on its data at sigma 0,
    from whatever level the run starts. A frame of known cells alone is better held (`flow.held`): the network then
    sees it clean.
    """

    def pinned(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        return torch.where(made[:, None].to(x.device), velocity(x, sigma), path.to(x))

    return pinned
