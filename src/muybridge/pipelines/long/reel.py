"""A film that is made while it is read: for any length, the memory of one window."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.shapes import latent_frames
from muybridge.media.frames import Frames
from muybridge.media.save_options import SaveOptions
from muybridge.media.writer import PLAIN
from muybridge.pipelines.components import Components
from muybridge.pipelines.long.pixels import film_of
from muybridge.pipelines.long.windows import Piece, Sample, pieces
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video
from muybridge.pipelines.saving import save_frames

OnLatents = Callable[[Float[Tensor, "c t h w"]], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reel:
    """`make` starts the film from its beginning and gives uint8 frames (t, h, w, 3), a few at a time; its argument
    hears of the latents as they come. Nothing is computed before frames are asked for.

    on_end: called when the last frame was taken. The rest is as in `Video`.
    """

    make: Callable[[OnLatents], Iterator[Frames]]
    num_frames: int
    width: int
    height: int
    fps: int
    settings: Mapping[str, Any]
    on_saved: Callable[[], None] | None = None
    on_end: Callable[[], None] | None = None

    def __iter__(self) -> Iterator[Frames]:
        """The frames, made now."""
        yield from self._made(lambda _latents: None)

    @property
    def seed(self) -> int:
        """The seed that its noise came from."""
        return self.settings["seed"]

    def save(self, path: str | Path, *, options: SaveOptions = PLAIN) -> Path:
        """Make the film into a file, as `Video.save`; coded film (.mp4 .mov .mkv .webm) is never in memory whole.

        Of 8 bits: raises as `Video.save` where more are asked for.
        """
        path = Path(path)
        if options.bits == 10:
            raise invalid("bits=10", "films of several windows are made with 8 bits", "leave it out, or use window=0")
        save_frames(path, self, num_frames=self.num_frames, fps=self.fps, settings=self.settings, options=options)
        if self.on_saved is not None:
            self.on_saved()
        return path

    def video(self) -> Video:
        """The film in memory, made now."""
        latents: list[Tensor] = []
        pixels = np.concatenate(list(self._made(latents.append)))
        whole = torch.cat(latents, dim=1)[:, : latent_frames(self.num_frames)]
        return Video(pixels=pixels, fps=self.fps, settings=self.settings, latents=whole.clone(), on_saved=self.on_saved)

    def _made(self, on_latents: OnLatents) -> Iterator[Frames]:
        yield from self.make(on_latents)
        if self.on_end is not None:
            self.on_end()


def reel_of(request: GenerationRequest, sample: Sample, components: Components, *, settings: Mapping[str, Any]) -> Reel:
    """The film of a request that is made window by window, whose latents `sample` makes."""

    def make(on_latents: OnLatents) -> Iterator[Frames]:
        def heard() -> Iterator[Piece]:
            for piece in pieces(request, sample):
                on_latents(piece.latents)
                yield piece

        return film_of(components, heard(), steady=request.steady, num_frames=request.num_frames)

    return Reel(
        make=make,
        num_frames=request.num_frames,
        width=request.width,
        height=request.height,
        fps=request.fps,
        settings=settings,
    )
