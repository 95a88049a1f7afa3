"""A film whose last frame meets its first: every latent frame is one of four, as in the midst of a film."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.media.frames import FilmFrames

RUN_UP = 2  # latent frames of the end that are decoded before the beginning, which the decoder looks back on
RUN_OUT = 1  # latent frame of the beginning that is decoded after the end: steadying looks one frame ahead
START = 2  # where the film begins in its first latent frame: so that its ends meet within one (see `closed`)


def opened(latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "c u h w"]:
    """The latents as they are decoded: before the first what comes before it, the end, and after the last the first."""
    return torch.cat([latents[:, -RUN_UP:], latents, latents[:, :RUN_OUT]], 1)


def closed(frames: FilmFrames) -> FilmFrames:
    """What is decoded of `opened` latents without what is there twice, beginning in the midst of a latent frame.

    There neighbours differ least, as they come of the same latent; where a player starts anew nothing else jumps.
    """
    once = frames[1 + TEMPORAL_RATIO * (RUN_UP - 1) : -TEMPORAL_RATIO * RUN_OUT]
    return np.roll(once, -START, axis=0)
