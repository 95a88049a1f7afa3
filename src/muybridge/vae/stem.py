"""Space-time patches as channels, causally: the first frame fills a patch by itself."""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def space_to_depth(pixels: Float[Tensor, "b c f y x"], patch: tuple[int, int, int]) -> Float[Tensor, "b d t h w"]:
    """Patches of (pt, ph, pw) pixels as channels; 1 + pt*n frames give 1 + n, the first repeated to fill its patch."""
    if patch == (1, 1, 1):
        return pixels
    pt, ph, pw = patch
    pixels = F.pad(pixels, (0, 0, 0, 0, pt - 1, 0), mode="replicate")
    return rearrange(pixels, "b c (t pt) (h ph) (w pw) -> b (c pt ph pw) t h w", pt=pt, ph=ph, pw=pw)


def depth_to_space(features: Float[Tensor, "b d t h w"], patch: tuple[int, int, int]) -> Float[Tensor, "b c f y x"]:
    """Undo `space_to_depth`: 1 + n patches give 1 + pt*n frames, the first patch only its last frame."""
    if patch == (1, 1, 1):
        return features
    pt, ph, pw = patch
    pixels = rearrange(features, "b (c pt ph pw) t h w -> b c (t pt) (h ph) (w pw)", pt=pt, ph=ph, pw=pw)
    return pixels[:, :, pt - 1 :]
