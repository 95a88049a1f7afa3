"""What the namer of camera movements sees of a clip: how its grid moves, the same speeds at any frame rate and size."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.curation.measures.flow import flow_field
from muybridge.media.frames import Frames
from muybridge.worlds.movements import MOVEMENTS

# What the shipped network was trained with: a change of any asks for another training.
NUM_PAIRS, GRID = 12, 8
PAIR_S = 1 / 12  # between the frames of a pair
MIN_LIKENESS, MIN_TEXTURE = 0.5, 4.0  # below which a pair and a cell cannot be followed, as in `Motion`


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowFilms:
    """The flow of b clips at p moments.

    speeds: right and down, short sides per second. trust: 0 to 1, how far a cell can be followed. extent: width and
    height of the frame in short sides.
    """

    speeds: Float[Tensor, "b p grid grid 2"]
    trust: Float[Tensor, "b p grid grid"]
    extent: Float[Tensor, "b 2"]

    def scaled(self, factor: Float[Tensor, " b"]) -> "FlowFilms":
        """As played that many times as fast."""
        return replace(self, speeds=self.speeds * factor[:, None, None, None, None])

    def mirrored(self) -> "FlowFilms":
        """As seen in a mirror: left is right."""
        speeds = self.speeds.flip(3) * self.speeds.new_tensor([-1.0, 1.0])
        return replace(self, speeds=speeds, trust=self.trust.flip(3))

    def reversed(self) -> "FlowFilms":
        """As played backwards."""
        return replace(self, speeds=-self.speeds.flip(1), trust=self.trust.flip(1))


def flow_film(frames: Frames, fps: float) -> FlowFilms:
    """Of one clip of at least two frames; short ones repeat their moments.

    Raises InvalidInput on fewer frames, MissingExtra without OpenCV.
    """
    gap = max(1, min(round(fps * PAIR_S), len(frames) - 1))
    field = flow_field(frames, num_pairs=NUM_PAIRS, grid=GRID, gap=gap)
    moments = np.linspace(0, len(field.cells) - 1, NUM_PAIRS).round().astype(int)
    trust = np.clip(field.texture / MIN_TEXTURE - 1, 0, 1) * (field.likeness >= MIN_LIKENESS)[:, None, None]
    height, width = frames.shape[1:3]
    extent = torch.tensor([[width, height]], dtype=torch.float32) / min(height, width)
    speeds = torch.from_numpy(field.cells[moments] * np.float32(fps / gap))
    return FlowFilms(speeds=speeds[None], trust=torch.from_numpy(trust[moments]).float()[None], extent=extent)


def joined(films: list[FlowFilms]) -> FlowFilms:
    """Those of all clips as one."""
    parts = zip(*((film.speeds, film.trust, film.extent) for film in films), strict=True)
    speeds, trust, extent = (torch.cat(part) for part in parts)
    return FlowFilms(speeds=speeds, trust=trust, extent=extent)


def _exchanged(pairs: dict[str, str]) -> tuple[int, ...]:
    """Each movement's number to that of the one whose last word is exchanged."""
    return tuple(
        MOVEMENTS.index(f"{kind} {pairs.get(way, way)}" if way else kind)
        for kind, _, way in (movement.partition(" ") for movement in MOVEMENTS)
    )


IN_MIRROR = _exchanged({"left": "right", "right": "left"})
BACKWARDS = _exchanged({"left": "right", "right": "left", "up": "down", "down": "up", "in": "out", "out": "in"})


def views(films: FlowFilms) -> tuple[tuple[FlowFilms, tuple[int, ...]], ...]:
    """The four ways to see each clip, forwards and backwards, straight and in a mirror; and what each movement then is.

    Upside down is none of them: that near things are below tells a pan from a tilt.
    """
    both = tuple(IN_MIRROR[number] for number in BACKWARDS)
    mirrored = films.mirrored()
    same = tuple(range(len(MOVEMENTS)))
    return (films, same), (mirrored, IN_MIRROR), (films.reversed(), BACKWARDS), (mirrored.reversed(), both)
