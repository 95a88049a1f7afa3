"""How much a tensor of tokens differs from another, film by film."""

from jaxtyping import Float
from torch import Tensor


def relative_change(now: Float[Tensor, "b n d"], before: Float[Tensor, "b n d"]) -> Float[Tensor, " b"]:
    """Mean absolute difference over the mean absolute value of `before`, float32."""
    return (now.float() - before.float()).abs().mean((1, 2)) / before.float().abs().mean((1, 2))
