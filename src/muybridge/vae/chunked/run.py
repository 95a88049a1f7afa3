"""Chunks through a list of layers, stopping only where a norm needs the whole clip."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch

from muybridge.core.counting import FLOPS_PER_PRODUCT
from muybridge.vae.chunked.chunks import Chunk
from muybridge.vae.chunked.layers import Layer
from muybridge.vae.chunked.moments import Moments
from muybridge.vae.chunked.places import Held, Place, keeper

OnWork = Callable[[int], None]  # operations that are done
Statistics = dict[int, Moments]  # of the input of the layer with this index


def run(
    layers: Sequence[Layer],
    chunks: Iterator[Chunk],
    *,
    place: Place = "memory",
    frozen: Statistics | None = None,
    found: Statistics | None = None,
    on_work: OnWork = lambda flops: None,
) -> Iterator[Chunk]:
    """The chunks after all layers, each as soon as it is there.

    Where a layer watches, `frozen` statistics let the film stream on; without them all of it waits in `place` until
    its own are known. `found`, where it is given, receives the real statistics of what went by. `on_work` hears
    after each layer's every chunk how many operations that took (attention's own are not counted), and may raise.
    """
    for index, layer in enumerate(layers):
        moments = None
        if layer.watches is not None:
            statistics = {} if found is None else found
            watched = _watched(chunks, statistics, index, layer.watches.num_groups)
            if frozen is None:
                chunks = _kept(watched, place)
                moments = statistics[index]
            else:
                chunks, moments = (chunks if found is None else watched), frozen[index]
        chunks = _counted(layer(chunks, moments), layer.num_weights, on_work)
    return chunks


def _watched(chunks: Iterator[Chunk], statistics: Statistics, index: int, num_groups: int) -> Iterator[Chunk]:
    """The same chunks; the statistics of all that have passed are in `statistics`."""
    statistics.pop(index, None)
    for chunk in chunks:
        moments = Moments.of(chunk.main, num_groups, is_by_frame=False)
        statistics[index] = statistics[index].joined(moments) if index in statistics else moments
        yield chunk


def _kept(chunks: Iterator[Chunk], place: Place) -> Iterator[Chunk]:
    """All chunks at once, then one after the other, each given up as it goes."""
    held: deque[tuple[Held, Held | None]] = deque()
    keep = None
    for chunk in chunks:
        keep = keep or keeper(place, chunk.main.device)
        held.append((keep(chunk.main), None if chunk.skip is None else keep(chunk.skip)))
    del chunk, keep
    return _given_back(held)


def _given_back(held: deque[tuple[Held, Held | None]]) -> Iterator[Chunk]:
    while held:
        main, skip = held.popleft()
        yield Chunk(main=main(), skip=None if skip is None else skip())


def _counted(chunks: Iterator[Chunk], num_weights: int, on_work: OnWork) -> Iterator[Chunk]:
    for chunk in chunks:
        on_work(FLOPS_PER_PRODUCT * num_weights * chunk.main[:, 0].numel())
        yield chunk


def one_film(chunks: Iterator[Chunk]) -> torch.Tensor:
    """All frames together."""
    return torch.cat([chunk.main for chunk in chunks], dim=2)
