"""Classifier-free guidance as a wrapper that turns two velocities into one."""

import math

from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.samplers import Velocity


def classifier_free(conditional: Velocity, unconditional: Velocity, scale: float) -> Velocity:
    """The velocity v_u + scale (v_c - v_u).   arXiv 2207.12598.

    At scale 1 it is `conditional` itself: the unconditional network is not run. Above 1 every call evaluates both.
    Raises InvalidInput unless scale is a number of at least 0.
    """
    if not (math.isfinite(scale) and scale >= 0):
        raise invalid(
            f"cfg={scale}",
            "the guidance scale is a number of at least 0",
            "use 1 for none, 2 to 7 to follow the prompt",
        )
    if scale == 1:
        return conditional

    def guided(x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
        v_unconditional = unconditional(x, sigma)
        return v_unconditional + scale * (conditional(x, sigma) - v_unconditional)

    return guided
