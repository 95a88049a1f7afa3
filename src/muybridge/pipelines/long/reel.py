"""A film that is made while it is read: for any length, the memory of one window."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.shapes import latent_frames
from muybridge.media.frames import Frames, to_uint8, to_uint16
from muybridge.media.save_options import SaveOptions
from muybridge.media.writer import PLAIN, depth
from muybridge.pipelines.components import Components
from muybridge.pipelines.long.pixels import film_of
from muybridge.pipelines.long.tally import Tally
from muybridge.pipelines.long.windows import Piece, pieces
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.result import Video
from muybridge.pipelines.resume.keeper import Sampled
from muybridge.pipelines.saving import save_frames
from muybridge.pipelines.start import Start

Pixels = Float[Tensor, "3 k y x"]  # of a few frames, nominally in [-1, 1]
SampleWindow = Callable[[GenerationRequest, Start | None], Sampled]
OnLatents = Callable[[Float[Tensor, "c t h w"]], None]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Reel:
    """`make` starts the film from its beginning and gives its pixels, a few frames at a time; its argument hears of the
    latents as they come. Nothing is computed before frames are asked for.

    asked: the settings that it is made with; tally: what step caches report meanwhile. on_end: called when the last
    frame was taken. The rest is as in `Video`.
    """

    make: Callable[[OnLatents], Iterator[Pixels]]
    num_frames: int
    width: int
    height: int
    fps: int
    asked: Mapping[str, Any]
    tally: Tally = field(default_factory=Tally)
    on_saved: Callable[[], None] | None = None
    on_end: Callable[[], None] | None = None

    def __iter__(self) -> Iterator[Frames]:
        """The frames, made now: uint8 (t, h, w, 3)."""
        return map(to_uint8, self._made(lambda _latents: None))

    @property
    def settings(self) -> dict[str, Any]:
        """As in `Video`; what step caches came to is known once the film is made."""
        return {**self.asked, **self.tally.said()}

    @property
    def seed(self) -> int:
        """The seed that its noise came from."""
        return self.asked["seed"]

    def save(self, path: str | Path, *, options: SaveOptions = PLAIN) -> Path:
        """Make the film into a file, as `Video.save`; coded film (.mp4 .mov .mkv .webm) is never in memory whole."""
        path = Path(path)
        made = self._made(lambda _latents: None)
        frames = map(to_uint16 if depth(path, options) > 8 else to_uint8, made)
        save_frames(
            path,
            frames,
            num_frames=self.num_frames,
            fps=self.fps,
            settings=self.asked,
            options=options,
            found=self.tally.said,
        )
        if self.on_saved is not None:
            self.on_saved()
        return path

    def video(self, *, bits: int = 8) -> Video:
        """The film in memory, made now. bits: above 8, with the pixels in 16 too."""
        latents: list[Tensor] = []
        frames, fine = [], []
        for pixels in self._made(latents.append):
            frames.append(to_uint8(pixels))
            if bits > 8:
                fine.append(to_uint16(pixels))
        whole = torch.cat(latents, dim=1)[:, : latent_frames(self.num_frames)]
        return Video(
            pixels=np.concatenate(frames),
            fine=np.concatenate(fine) if fine else None,
            fps=self.fps,
            settings=self.settings,
            latents=whole.clone(),
            on_saved=self.on_saved,
        )

    def _made(self, on_latents: OnLatents) -> Iterator[Pixels]:
        yield from self.make(on_latents)
        if self.on_end is not None:
            self.on_end()


def reel_of(
    request: GenerationRequest, sample: SampleWindow, components: Components, *, settings: Mapping[str, Any]
) -> Reel:
    """The film of a request that is made window by window, each by `sample`."""
    tally = Tally()

    def latents_of(window: GenerationRequest, start: Start | None) -> Float[Tensor, "c t h w"]:
        latents, report = sample(window, start)
        tally.add(report)
        return latents

    def make(on_latents: OnLatents) -> Iterator[Pixels]:
        def heard() -> Iterator[Piece]:
            for piece in pieces(request, latents_of):
                on_latents(piece.latents)
                yield piece

        tally.begin()
        return film_of(components, heard(), request)

    return Reel(
        make=make,
        num_frames=request.num_frames,
        width=request.width,
        height=request.height,
        fps=request.fps,
        asked=settings,
        tally=tally,
    )
