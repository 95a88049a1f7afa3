"""Chunks through a list of layers, stopping only where a norm needs the whole clip."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence

import torch

from muybridge.core.counting import FLOPS_PER_PRODUCT
from muybridge.vae.chunked.chunks import Chunk
from muybridge.vae.chunked.layers import Layer
from muybridge.vae.chunked.moments import Moments
from muybridge.vae.chunked.places import Place, keeper

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

    def watch(chunk: Chunk) -> Chunk:
        moments = Moments.of(chunk.main, num_groups, is_by_frame=False)
        statistics[index] = statistics[index].joined(moments) if index in statistics else moments
        return chunk

    return map(watch, chunks)


def _kept(chunks: Iterator[Chunk], place: Place) -> Iterator[Chunk]:
    """All chunks at once, then one after the other, each given up as it goes."""
    keep = keeper(place)
    held = deque((keep(chunk.main), None if chunk.skip is None else keep(chunk.skip)) for chunk in chunks)

    def give_back(_: int) -> Chunk:
        main, skip = held.popleft()
        return Chunk(main=main(), skip=None if skip is None else skip())

    return map(give_back, range(len(held)))


def _counted(chunks: Iterator[Chunk], num_weights: int, on_work: OnWork) -> Iterator[Chunk]:
    def count(chunk: Chunk) -> Chunk:
        on_work(FLOPS_PER_PRODUCT * num_weights * chunk.main[:, 0].numel())
        return chunk

    return map(count, chunks)


def one_film(chunks: Iterator[Chunk]) -> torch.Tensor:
    """All frames together."""
    return torch.cat([chunk.main for chunk in chunks], dim=2)
