"""Masks in pixels as cells of the latents."""

import torch
from einops import reduce
from jaxtyping import Bool
from torch import Tensor

from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO
from muybridge.media.frames import Frames, from_uint8


def cells_to_make(mask: Frames) -> Bool[Tensor, "t h w"]:
    """The latent cells that are made anew: those with any pixel, in any of their frames, that is more white than black.

    A cell is 8x8 px, of the first frame alone or of four frames together. So nothing white is kept, and up to 7 px
    (and 3 frames) around it are made anew with it: a rest of what should go would bring it back.
    """
    is_white = (from_uint8(mask).mean(0) > 0).float()
    cell = {"r": SPATIAL_RATIO, "c": SPATIAL_RATIO}
    made = [reduce(is_white[:1], "t (h r) (w c) -> t h w", "max", **cell)]
    if len(is_white) > 1:
        made.append(reduce(is_white[1:], "(t k) (h r) (w c) -> t h w", "max", k=TEMPORAL_RATIO, **cell))
    return torch.cat(made) > 0
