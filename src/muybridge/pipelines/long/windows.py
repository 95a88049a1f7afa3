"""A film without end as windows that go on from each other: requests, latents, what the network is given of before.

Window 0 is the film of the request, as if it were of the window's length; each later one holds the last `HELD` latent
frames of the one before at sigma 0 and makes the `FADED` after them again. Only numbers decide a window, never how long
the film is to be: a longer film begins with the shorter one, bitwise.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import mix
from muybridge.core.shapes import TEMPORAL_RATIO, latent_frames
from muybridge.pipelines.conditions.film import FilmConditions
from muybridge.pipelines.long.film import FADED, HELD, LEADING, LongFilm
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Start

Sample = Callable[[GenerationRequest, Start | None], Float[Tensor, "c t h w"]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Piece:
    """Latents that continue a film and will not change any more. leaving: those of the window before at the same place,
    from which the picture passes to these; None in the first."""

    latents: Float[Tensor, "c t h w"]
    leaving: Float[Tensor, "c f h w"] | None = None


def window_of(request: GenerationRequest, index: int) -> GenerationRequest:
    """The request of one window, from 0: its noise is of the film's seed and this number."""
    first = replace(request, num_frames=request.long.window, long=LongFilm(riflex=request.long.riflex))
    if index == 0:
        return first
    return replace(first, seed=mix(request.seed, "window", index), conditions=FilmConditions())


def num_windows(request: GenerationRequest) -> int:
    """Windows that are made before the film is through; 1 where it is made whole."""
    if not request.is_streamed:
        return 1
    size = latent_frames(request.long.window)
    num_frames = request.num_frames + (request.steady > 0)  # steadying looks one frame ahead
    needed = -(-(num_frames - 1) // TEMPORAL_RATIO) + 1
    return 1 + max(0, -(-(needed - (size - FADED)) // (size - HELD - FADED)))


def windows_of(request: GenerationRequest) -> Iterator[GenerationRequest]:
    """Those of all windows that the film needs; the film itself where it is made whole."""
    if not request.is_streamed:
        yield request
        return
    yield from (window_of(request, index) for index in range(num_windows(request)))


def decoded_frames(request: GenerationRequest) -> int:
    """Frames that are decoded for the film, with those that only lead to others."""
    if not request.is_streamed:
        return request.num_frames
    size = latent_frames(request.long.window)
    later = (size - HELD - FADED) + (LEADING + FADED)
    return 1 + TEMPORAL_RATIO * (size - FADED - 1 + (num_windows(request) - 1) * later)


def pieces(request: GenerationRequest, sample: Sample) -> Iterator[Piece]:
    """The film's latents without end, window by window; `sample` makes those of a window."""
    latents = sample(window_of(request, 0), None)
    yield Piece(latents=latents[:, :-FADED])
    for index in count(1):
        held, leaving = latents[:, -FADED - HELD : -FADED], latents[:, -FADED:]
        latents = sample(window_of(request, index), continuing(held, num_frames=latents.shape[1]))
        yield Piece(latents=latents[:, HELD:-FADED], leaving=leaving)


def continuing(held: Float[Tensor, "c k h w"], *, num_frames: int) -> Start:
    """The start of a window of `num_frames` latent frames, of which the first are given."""
    given = F.pad(held, (0, 0, 0, 0, 0, num_frames - held.shape[1]))
    return Start(given=given, held=torch.arange(num_frames) < held.shape[1])
