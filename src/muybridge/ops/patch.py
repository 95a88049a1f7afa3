"""Between latents and tokens: non-overlapping patches, time-major order."""

from collections.abc import Sequence

from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def patchify(latents: Float[Tensor, "b c t h w"], patch_size: Sequence[int]) -> Float[Tensor, "b n p"]:
    """Tokens in t, h, w order; channels of a token in c, pt, ph, pw order, as a convolution's weight flattens."""
    pt, ph, pw = patch_size
    return rearrange(latents, "b c (t pt) (h ph) (w pw) -> b (t h w) (c pt ph pw)", pt=pt, ph=ph, pw=pw)


def unpatchify(
    tokens: Float[Tensor, "b n p"], grid: Sequence[int], *, patch_size: Sequence[int]
) -> Float[Tensor, "b c t h w"]:
    """The latents of tokens over `grid` (t, h, w), channel outermost in a token: the inverse of `patchify`."""
    (t, h, w), (pt, ph, pw) = grid, patch_size
    return rearrange(tokens, "b (t h w) (c pt ph pw) -> b c (t pt) (h ph) (w pw)", t=t, h=h, w=w, pt=pt, ph=ph, pw=pw)
