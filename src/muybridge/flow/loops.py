"""Films without an end: latent frames on a circle."""

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.flow.samplers import Velocity

TURNS = 708.42  # of the circle over a run: cuts runs of 8 to 50 steps over 4 to 32 latent frames evenly (counted)


def on_a_circle(velocity: Velocity) -> Velocity:
    """The velocity of a film whose last latent frame is followed by its first.

    The network sees a beginning and an end. Between two evaluations the circle is turned beneath them, so that every
    pair of neighbours, the last and the first too, is neighbours in most of the run, and none is ever favoured: the
    film has no seam to hide. As latent shift in Mobius (arXiv 2502.20307); the turn is a function of sigma alone, so
    that steps which are predicted or were kept change nothing.
    """

    def circular(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        shift = turn(float(sigma.amax()), x.shape[2])
        return velocity(x.roll(-shift, 2), turned(sigma, shift)).roll(shift, 2)

    return circular


def turn(sigma: float, num_frames: int) -> int:
    """By how many latent frames the circle is turned at a level."""
    return int(sigma * TURNS % 1 * num_frames) % num_frames


def turned(sigma: Float[Tensor, "b *t"], shift: int) -> Float[Tensor, "b *t"]:
    """Levels as the network sees them; one for a whole film as it is."""
    return sigma if sigma.ndim == 1 else torch.roll(sigma, -shift, 1)
