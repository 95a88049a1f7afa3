"""Space-time patches as channels, causally: the first frame fills a patch by itself."""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

Patch = tuple[int, int, int]  # of frames, rows, columns


def space_to_depth(pixels: Float[Tensor, "b c f y x"], patch: Patch) -> Float[Tensor, "b d t h w"]:
    """Patches of (pt, ph, pw) pixels as channels; 1 + pt*n frames give 1 + n, the first repeated to fill its patch."""
    if patch == (1, 1, 1):
        return pixels
    return pixels_to_patches(F.pad(pixels, (0, 0, 0, 0, patch[0] - 1, 0), mode="replicate"), patch)


def depth_to_space(features: Float[Tensor, "b d t h w"], patch: Patch) -> Float[Tensor, "b c f y x"]:
    """Undo `space_to_depth`: 1 + n patches give 1 + pt*n frames, the first patch only its last frame."""
    return patches_to_pixels(features, patch)[:, :, patch[0] - 1 :]


def pixels_to_patches(pixels: Float[Tensor, "b c f y x"], patch: Patch) -> Float[Tensor, "b d t h w"]:
    """Whole patches as channels."""
    pt, ph, pw = patch
    return rearrange(pixels, "b c (t pt) (h ph) (w pw) -> b (c pt ph pw) t h w", pt=pt, ph=ph, pw=pw)


def patches_to_pixels(features: Float[Tensor, "b d t h w"], patch: Patch) -> Float[Tensor, "b c f y x"]:
    """Undo `pixels_to_patches`."""
    pt, ph, pw = patch
    return rearrange(features, "b (c pt ph pw) t h w -> b c (t pt) (h ph) (w pw)", pt=pt, ph=ph, pw=pw)
