"""Films without an end: latent frames on a circle."""

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.flow.samplers import Velocity
from muybridge.flow.wander import Wander


def on_a_circle(velocity: Velocity, *, cut: Wander) -> Velocity:
    """The velocity of a film whose last latent frame is followed by its first.

    The network sees a beginning and an end. The circle is cut elsewhere in every step, before the latent frame that
    `cut` names, so that every pair of neighbours, the last and the first too, is neighbours in most of the run, and
    none is ever favoured: the film has no seam to hide. As latent shift in Mobius (arXiv 2502.20307), which moves the
    cut on by as much each time.
    """

    def circular(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        first = cut(float(sigma.amax()))
        return velocity(x.roll(-first, 2), turned(sigma, first)).roll(first, 2)

    return circular


def turned(sigma: Float[Tensor, "b *t"], first: int) -> Float[Tensor, "b *t"]:
    """Levels as the network sees them, from the frame `first` on; one for a whole film as it is."""
    return sigma if sigma.ndim == 1 else torch.roll(sigma, -first, 1)
