"""A film whose last frame meets its first: every latent frame is one of four, as in the midst of a film."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.media.frames import FilmFrames

RUN_UP = 2  # latent frames of the end that are decoded before the beginning, which the decoder looks back on
RUN_OUT = 1  # latent frame of the beginning that is decoded after the end: steadying looks one frame ahead


def opened(latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "c u h w"]:
    """The latents as they are decoded: before the first what comes before it, the end, and after the last the first."""
    return torch.cat([latents[:, -RUN_UP:], latents, latents[:, :RUN_OUT]], 1)


def closed(frames: FilmFrames) -> FilmFrames:
    """What is decoded of `opened` latents without what is there twice, from the calmest frame on.

    A circle begins anywhere; where a player starts anew, which may take it a moment, the least should move.
    """
    once = frames[1 + TEMPORAL_RATIO * (RUN_UP - 1) : -TEMPORAL_RATIO * RUN_OUT]
    return np.roll(once, -calmest(once), axis=0)


def calmest(frames: FilmFrames) -> int:
    """The frame that differs least from the one before it, the first from the last; of 8 and 16 bits the same."""
    levels = frames.astype(np.float32) / np.iinfo(frames.dtype).max
    differences = [np.abs(levels[index] - levels[index - 1]).mean() for index in range(len(levels))]
    return int(np.argmin(differences))
