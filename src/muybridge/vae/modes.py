"""Ways to run a VAE: whole, exactly in little memory, as a stream, or by tiles.   docs/explanation/vae-modes.md

| mode | result | memory beside the weights |
|---|---|---|
| `whole` | the network as it is | several times its largest features |
| `exact` | the same, within rounding | its largest features once, and some chunks |
| `spill` | the same | some chunks; the features wait on the host, or in a temporary file where the CPU computes |
| `stream` | the same for norms of frames and cells, near it for norms of clips | some chunks |
| `tiled` | what the released code or diffusers gets by tiles | as `whole`, of one tile |
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import tee
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.counting import FLOPS_PER_PRODUCT
from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO
from muybridge.vae.chunked.chunks import Chunk, of_film, of_pieces
from muybridge.vae.chunked.layers import Layer
from muybridge.vae.chunked.moments import drift
from muybridge.vae.chunked.network import decoder_layers, encoder_layers, linear_path_layers
from muybridge.vae.chunked.places import Place
from muybridge.vae.chunked.run import OnWork, Statistics, one_film, run
from muybridge.vae.cost import convolution_flops
from muybridge.vae.latents import Gaussian
from muybridge.vae.model import VideoVAE, check_latents, check_pixels
from muybridge.vae.peak import CHUNK_BYTES
from muybridge.vae.tiling import Tiling, decode_tiled, encode_tiled

Mode = Literal["whole", "exact", "spill", "stream", "tiled"]
OnProgress = Callable[[float], None]
Coder = Callable[[Tensor], Tensor]

STATISTICS_FRAMES = 5  # latent frames, evenly spread, that stand for a clip: convention; `drift_of` says how well


@torch.no_grad()
def decode(
    vae: VideoVAE,
    latents: Float[Tensor, "b c t h w"],
    *,
    mode: Mode = "whole",
    tiling: Tiling | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "b 3 f y x"]:
    """As `vae.decode`, in one of the ways of the table above; one film after the other.

    tiling: of mode `tiled`, by default the released one. chunk_bytes: of features in one kernel at a time.
    `on_progress` hears the share of the work that is done after every chunk (`whole` and `tiled`: after every film),
    and may raise to stop it. No gradients. Raises InvalidInput on an unknown mode, and as `vae.decode`.
    """
    check_latents(latents, vae.config.latent_channels)
    frames, height, width = latents.shape[2:]
    pixels = (1 + TEMPORAL_RATIO * (frames - 1), height * SPATIAL_RATIO, width * SPATIAL_RATIO)
    flops = convolution_flops(vae.config, pixels=pixels, is_encoder=False)
    work = _Work(total_flops=flops * len(latents), on_progress=on_progress)

    def in_chunks(film: Tensor) -> Tensor:
        frozen = statistics(vae, film, chunk_bytes=chunk_bytes) if mode == "stream" else None
        chunks = of_film(film.to(vae.dtype), 1 if mode == "stream" else frames)
        return one_film(_decoded(vae, chunks, chunk_bytes, place=_place(mode), frozen=frozen, on_work=work.add))

    def by_tiles(film: Tensor) -> Tensor:
        return decode_tiled(vae, film, tiling)

    return torch.cat(_films(latents, mode, {"whole": vae.decode, "tiled": by_tiles}, in_chunks, work))


@torch.no_grad()
def encode(
    vae: VideoVAE,
    pixels: Float[Tensor, "b 3 f y x"],
    *,
    mode: Mode = "whole",
    tiling: Tiling | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    on_progress: OnProgress | None = None,
) -> Gaussian:
    """As `vae.encode`, in one of the ways of the table above; the rest as `decode`.

    Of a norm over clips `stream` takes the statistics of the first frames (`STATISTICS_FRAMES` latent ones).
    """
    check_pixels(pixels)
    frames, height, width = pixels.shape[2:]
    flops = convolution_flops(vae.config, pixels=(frames, height, width), is_encoder=True)
    work = _Work(total_flops=flops * len(pixels), on_progress=on_progress)

    def in_chunks(film: Tensor) -> Tensor:
        film = film.to(vae.dtype)
        layers = encoder_layers(vae, chunk_bytes)
        frozen = None
        if mode == "stream":
            some = film[:, :, : 1 + TEMPORAL_RATIO * (STATISTICS_FRAMES - 1)]
            frozen = _statistics(layers, of_film(some, TEMPORAL_RATIO))
        chunks = of_film(film, TEMPORAL_RATIO)
        moments = one_film(run(layers, chunks, place=_place(mode), frozen=frozen, on_work=work.add))
        if vae.config.has_linear_path:
            moments[:, : vae.config.latent_channels] += vae.linear_latents(film)
            work.add(FLOPS_PER_PRODUCT * vae.linear_in.weight.numel() * moments[:, 0].numel())
        return moments

    def by_tiles(film: Tensor) -> Tensor:
        moments = encode_tiled(vae, film, tiling)
        return torch.cat([moments.mean, moments.logvar], dim=1)

    return Gaussian.from_moments(
        torch.cat(_films(pixels, mode, {"whole": vae.moments, "tiled": by_tiles}, in_chunks, work))
    )


def stream(
    vae: VideoVAE,
    pieces: Iterable[Float[Tensor, "1 c t h w"]],
    *,
    frozen: Statistics | None = None,
    found: Statistics | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[Float[Tensor, "1 3 k y x"]]:
    """Pixels of a film whose latents come in pieces of any length, as soon as they are known; a film without end.

    Later pieces never change earlier pixels. Memory does not grow with the length, but for the keys and values of the
    middle's attention, if there is one: 2 x channels values a latent cell. A norm over clips needs `frozen`
    statistics, from `statistics`; `found` receives those of what went by: see `drift_of`. Raises InvalidInput where
    `frozen` is missing, and on other latents.
    """
    if frozen is None and any(layer.watches for layer in decoder_layers(vae, chunk_bytes)):
        raise invalid("frozen=None", "norms over clips stream with frozen statistics", "pass statistics(vae, latents)")

    def checked() -> Iterator[Tensor]:
        for piece in pieces:
            check_latents(piece, vae.config.latent_channels)
            yield from piece.to(vae.dtype).split(1, dim=2)

    chunks = _decoded(vae, of_pieces(checked()), chunk_bytes, frozen=frozen or {}, found=found)

    @torch.no_grad()
    def one() -> Chunk | None:  # the caller's gradients are as they were between two pieces
        return next(chunks, None)

    while (chunk := one()) is not None:
        yield chunk.main


@torch.no_grad()
def statistics(
    vae: VideoVAE,
    latents: Float[Tensor, "1 c t h w"],
    *,
    num_frames: int = STATISTICS_FRAMES,
    chunk_bytes: int = CHUNK_BYTES,
) -> Statistics:
    """Those of the decoder's norms over clips, from at most `num_frames` evenly spread latent frames decoded exactly.

    With all frames, the statistics with which `stream` is exact.
    """
    check_latents(latents, vae.config.latent_channels)
    chosen = torch.linspace(0, latents.shape[2] - 1, min(num_frames, latents.shape[2])).round().long()
    some = latents[:, :, chosen].to(vae.dtype)
    return _statistics(decoder_layers(vae, chunk_bytes), of_film(some, len(chosen)))


def drift_of(frozen: Statistics, found: Statistics) -> float:
    """How far statistics were from the real ones: the largest distance of a mean or a deviation, in deviations."""
    return max((float(drift(frozen[index], real)) for index, real in found.items()), default=0.0)


class _Work:
    """Operations that are done, said as a share."""

    def __init__(self, *, total_flops: int, on_progress: OnProgress | None) -> None:
        self.total_flops, self.on_progress, self.done_flops = total_flops, on_progress, 0

    def add(self, flops: int) -> None:
        self.done_flops += flops
        if self.on_progress is not None:
            self.on_progress(self.done_flops / self.total_flops)


def _films(films: Tensor, mode: Mode, plain: Mapping[str, Coder], in_chunks: Coder, work: _Work) -> list[Tensor]:
    """Each film alone through the coder of the mode."""
    if mode not in get_args(Mode):
        raise invalid(f"mode={mode!r}", f"one of {', '.join(get_args(Mode))}", "use 'exact'")
    coded = []
    for film in films.split(1):
        coded.append(plain.get(mode, in_chunks)(film))
        if mode in plain:
            work.add(work.total_flops // len(films))
    return coded


def _place(mode: Mode) -> Place:
    return "outside" if mode == "spill" else "memory"


def _statistics(layers: Sequence[Layer], chunks: Iterator[Chunk]) -> Statistics:
    found: Statistics = {}
    watching = [index for index, layer in enumerate(layers) if layer.watches]
    for _ in run(layers[: watching[-1] + 1] if watching else (), chunks, found=found):
        break  # all is known as soon as the last of them starts
    return found


def _decoded(
    vae: VideoVAE,
    chunks: Iterator[Chunk],
    chunk_bytes: int,
    *,
    place: Place = "memory",
    frozen: Statistics | None = None,
    found: Statistics | None = None,
    on_work: OnWork = lambda flops: None,
) -> Iterator[Chunk]:
    """Pixels from latents, the linear path's added frame by frame."""
    layers = decoder_layers(vae, chunk_bytes)
    if not vae.config.has_linear_path:
        return run(layers, chunks, place=place, frozen=frozen, found=found, on_work=on_work)
    for_layers, for_path = tee(chunks)
    deep = run(layers, for_layers, place=place, frozen=frozen, found=found, on_work=on_work)
    flat = run(linear_path_layers(vae, chunk_bytes), for_path, on_work=on_work)
    return _sums(deep, flat)


def _sums(deep: Iterator[Chunk], flat: Iterator[Chunk]) -> Iterator[Chunk]:
    """Two films added, in chunks that lie within one of each."""
    rest = next(flat)
    for chunk in deep:
        start = 0
        while start < chunk.num_frames:
            rest = rest if rest.num_frames else next(flat)
            size = min(chunk.num_frames - start, rest.num_frames)
            yield Chunk(main=chunk.frames(start, start + size).main + rest.frames(0, size).main)
            start, rest = start + size, rest.frames(size, rest.num_frames)
