"""Films on their way through a network: an iterator of runs of frames, the first frame always by itself.

Iterators here and in layers are `map`s rather than generators where they can be: a suspended generator's variables hold
on to its last chunk while others work, a `map` holds nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Features of consecutive frames (1, c, k, h, w), and inside a resnet what it adds to them at its end."""

    main: Float[Tensor, "1 c k h w"]
    skip: Float[Tensor, "1 d k h w"] | None = None

    @property
    def num_frames(self) -> int:
        """Frames in it."""
        return self.main.shape[2]

    def frames(self, start: int, stop: int) -> "Chunk":
        """Some of its frames, sharing memory."""
        skip = None if self.skip is None else self.skip[:, :, start:stop]
        return Chunk(main=self.main[:, :, start:stop], skip=skip)


def of_film(film: Float[Tensor, "1 c t h w"], num_frames: int) -> Iterator[Chunk]:
    """The first frame, then `num_frames` at a time; sharing memory."""
    starts = [0, *range(1, film.shape[2], num_frames)]
    for start, stop in zip(starts, [*starts[1:], film.shape[2]], strict=True):
        yield Chunk(main=film[:, :, start:stop])


def of_pieces(pieces: Iterable[Float[Tensor, "1 c t h w"]]) -> Iterator[Chunk]:
    """Pieces of a film as they come; the first frame leaves the first piece."""
    for index, piece in enumerate(pieces):
        yield from of_film(piece, piece.shape[2]) if index == 0 else (Chunk(main=piece),)


def divided(chunks: Iterable[Chunk], num_frames: Callable[[Chunk], int]) -> Iterator[Chunk]:
    """The same frames, at most `num_frames` of a chunk in a chunk; sharing memory."""

    def parts(chunk: Chunk) -> Iterator[Chunk]:
        size = num_frames(chunk)
        starts = range(0, chunk.num_frames, size)
        return iter((chunk,)) if len(starts) == 1 else map(lambda start: chunk.frames(start, start + size), starts)

    return chain.from_iterable(map(parts, chunks))


def in_multiples(chunks: Iterable[Chunk], num_frames: int) -> Iterator[Chunk]:
    """The first frame as it is; what follows in chunks of whole multiples of `num_frames`, joined where need be."""
    waiting: list[Tensor] = []
    for index, chunk in enumerate(chunks):
        waiting.append(chunk.main)
        if index == 0 or sum(main.shape[2] for main in waiting) % num_frames == 0:
            yield Chunk(main=waiting[0] if len(waiting) == 1 else torch.cat(waiting, dim=2))
            waiting = []
