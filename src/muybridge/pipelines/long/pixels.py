"""The pixels of a film whose latents come in pieces, each as soon as it is known, in the memory of a few frames."""

from collections import deque
from collections.abc import Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.pipelines.components import Components
from muybridge.pipelines.long.film import FADED, LEADING, STEADIER
from muybridge.pipelines.long.windows import Piece
from muybridge.pipelines.request import GenerationRequest
from muybridge.vae import modes, to_vae
from muybridge.vae.steady import steadied_stream


def film_of(
    components: Components, pieces: Iterable[Piece], request: GenerationRequest
) -> Iterator[Float[Tensor, "3 k y x"]]:
    """Pixels of a request's frames, a few at a time, as `decoded`; steadied more where windows pass to each other."""

    def strength(frame: int) -> float:
        return request.steady * (STEADIER if request.long.is_passing(frame) else 1)

    chunks = steadied_stream(decoded(components, pieces), strength if request.steady else 0)
    left = request.num_frames
    while left > 0:
        chunk = next(chunks)[:, :, :left]
        left -= chunk.shape[2]
        yield chunk[0]


def decoded(components: Components, pieces: Iterable[Piece]) -> Iterator[Float[Tensor, "1 3 k y x"]]:
    """Pixels, nominally in [-1, 1], float32, of pieces at the transformer's scale.

    One stream through the VAE: what comes later never changes what came, and a film in pieces is the film as a whole
    (`vae.modes.stream`; where norms take statistics of clips, all take those of the first piece). Where a piece has
    something leaving, the picture passes from that to its first frames, slowly at both ends.
    """
    decoder = _Decoder(components)
    leaving: deque[Tensor] = deque()  # frames that the picture passes from

    def latents() -> Iterator[Tensor]:
        for piece in pieces:
            if piece.leaving is not None:  # all frames before this piece are through: the stream asks for no more early
                leaving.extend(decoder.leaving(piece.leaving))
            yield decoder.kept(piece.latents)

    for chunk in decoder.stream(latents()):
        frames = []
        for frame in chunk.split(1, dim=2):
            share = len(leaving) / (FADED * TEMPORAL_RATIO + 1)
            smooth = share**2 * (3 - 2 * share)
            frames.append(frame if not leaving else torch.lerp(frame, leaving.popleft(), smooth))
        yield torch.cat(frames, dim=2)


class _Decoder:
    """The VAE on one film: its statistics, and the last latents that went by."""

    def __init__(self, components: Components) -> None:
        self._vae = components.vae
        self._statistics: modes.Statistics | None = None
        self._last: Tensor | None = None

    def kept(self, latents: Float[Tensor, "c t h w"]) -> Float[Tensor, "1 c t h w"]:
        """As the VAE takes them; remembered."""
        own = self._own(latents)
        if self._last is None:
            self._statistics = modes.statistics(self._vae, own)
        self._last = own if self._last is None else torch.cat([self._last, own], dim=2)
        self._last = self._last[:, :, -LEADING:].clone()
        return own

    def stream(self, latents: Iterator[Tensor]) -> Iterator[Float[Tensor, "1 3 k y x"]]:
        """Pixels as they come."""
        first = next(latents)  # before the statistics are asked for
        assert self._statistics is not None
        whole = (piece for part in ([first], latents) for piece in part)
        for chunk in modes.stream(self._vae, whole, frozen=self._statistics):
            yield chunk.float()

    def leaving(self, latents: Float[Tensor, "c t h w"]) -> Iterator[Float[Tensor, "1 3 1 y x"]]:
        """The frames of latents that would have come next."""
        assert self._last is not None and self._statistics is not None
        with_context = torch.cat([self._last, self._own(latents)], dim=2)
        chunks = modes.stream(self._vae, [with_context], frozen=self._statistics)
        pixels = torch.cat(list(chunks), dim=2).float()
        return iter(pixels[:, :, -latents.shape[1] * TEMPORAL_RATIO :].split(1, dim=2))

    def _own(self, latents: Tensor) -> Tensor:
        return to_vae(latents[None], self._vae.config).to(next(self._vae.parameters()))
