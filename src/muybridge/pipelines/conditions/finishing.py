"""From the latents of a request to what its user gets: a film with its continuation, a loop, or the film itself."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from muybridge.media.frames import FilmFrames, fine
from muybridge.pipelines.conditions import reading
from muybridge.pipelines.conditions.loop import closed, opened
from muybridge.pipelines.request import GenerationRequest


def decodable(request: GenerationRequest, latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "c u h w"]:
    """The latents that are decoded: those that were sampled, of a loop more (`opened`)."""
    return opened(latents) if request.conditions.loop else latents


def finished(request: GenerationRequest, frames: FilmFrames) -> FilmFrames:
    """What the user gets of the frames that were decoded: with a film to extend, both as one."""
    conditions = request.conditions
    if conditions.loop:
        return closed(frames)
    if conditions.extend is None:
        return frames
    given = reading.film(conditions.extend, fps=request.fps)
    given = reading.fitted(given, width=request.width, height=request.height)
    given = np.stack([fine(picture) for picture in given]) if frames.dtype == np.uint16 else given
    if conditions.is_backwards:
        return joined(frames, given, overlap=conditions.held_overlap)
    return joined(given, frames, overlap=conditions.held_overlap)


def joined(before: FilmFrames, after: FilmFrames, *, overlap: int) -> FilmFrames:
    """Two films, the last `overlap` frames of one being the first of the other, as one film.

    These frames pass from one to the other in even steps: both show the same, but the VAE's is softer and its colours
    are a little off, which a cut would show.
    """
    weight = (np.arange(1, overlap + 1) / (overlap + 1))[:, None, None, None]
    mixed = (1 - weight) * before[-overlap:] + weight * after[:overlap]
    return np.concatenate([before[:-overlap], np.round(mixed).astype(before.dtype), after[overlap:]])
