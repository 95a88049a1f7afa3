"""One velocity from several, each with its own part of the film: prompts that give way to each other in time."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.samplers import Velocity
from muybridge.flow.windows import Window, weighted_mean

_SUM_TOLERANCE = 1e-5  # rounding of a sum of a few float32


def window_of(weight: Float[Tensor, " t"]) -> Window:
    """The latent frames from the first to the last that have a weight."""
    [acting] = weight.nonzero(as_tuple=True)
    return Window(start=int(acting[0]), stop=int(acting[-1]) + 1)


def blended(velocities: Sequence[Velocity], weights: Float[Tensor, "k t"]) -> Velocity:
    """The mean of the velocities by the weights of each latent frame.

    Each sees the window of the frames in which it has a weight, and no others, as a film of its own: what it says of
    its frames is then not outvoted by frames that show something else. Where windows overlap, they shape the same
    latents, which ties them together. One that weighs nothing anywhere is not evaluated; those that agree come out as
    they are, to the bit where there is but one. Windows of held frames alone are not asked for either.
    Raises InvalidInput unless there is a weight of at least 0 for each of them and the weights of a frame sum up to 1.
    """
    is_sound = len(weights) == len(velocities) and bool((weights >= 0).all())
    if not is_sound or bool(((weights.sum(0) - 1).abs() > _SUM_TOLERANCE).any()):
        given = f"weights {tuple(weights.shape)} of {len(velocities)} velocities"
        raise invalid(given, "are at least 0 and sum up to 1 in every latent frame", "divide them by their sum")
    acting = [(velocity, weight) for velocity, weight in zip(velocities, weights, strict=True) if bool(weight.any())]
    if len(acting) == 1:
        return acting[0][0]
    windows = [(velocity, weight, window_of(weight)) for velocity, weight in acting]

    def mean(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        parts = ((window, weight[window.frames], velocity) for velocity, weight, window in windows)
        return weighted_mean(parts, x, sigma)

    return mean
