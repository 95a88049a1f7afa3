"""What the namer of camera movements sees of a clip: how its grid moves, the same speeds at any frame rate and size."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.curation.measures.flow import MIN_SIDE_PX, brought_back, celled, levelled
from muybridge.curation.opencv import one_thread, opencv
from muybridge.media.frames import Frames
from muybridge.worlds.movements import MOVEMENTS

# What the shipped network was trained with: a change of any asks for another training.
GRID, SIDE_PX = 16, 112
NUM_SHORT, SHORT_S = 9, 1 / 12  # pairs of frames, and the time between the frames of one
NUM_LONG, LONG_S = 4, 0.4  # what is slow, or stands, shows over a longer time
FINEST_SCALE = 1  # of DIS, half the pixels; with no refinement after it, as exact in half the time (measured)
MIN_VARIANCE = 1.0  # squared levels: flatter cells are like nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class CellFlow:
    """How the cells of a grid move in p pairs of frames of b clips.

    speeds: right and down, short sides per second. texture: mean change between neighbours in levels. likeness and
    standing: how a cell correlates with itself in the pair's other frame, brought back by the flow and left in place.
    """

    speeds: Float[Tensor, "b p grid grid 2"]
    texture: Float[Tensor, "b p grid grid"]
    likeness: Float[Tensor, "b p grid grid"]
    standing: Float[Tensor, "b p grid grid"]

    def each(self, change: Callable[[Tensor], Tensor]) -> "CellFlow":
        """With every tensor changed."""
        return CellFlow(**{one.name: change(getattr(self, one.name)) for one in fields(self)})

    def times(self, factor: Tensor) -> "CellFlow":
        """With other speeds; `factor` broadcasts with them."""
        return replace(self, speeds=self.speeds * factor)


@dataclass(frozen=True, kw_only=True, slots=True)
class FlowFilms:
    """The flow of b clips over short and long times; `extent` is width and height of the frame in short sides."""

    short: CellFlow
    long: CellFlow
    extent: Float[Tensor, "b 2"]

    def each(self, change: Callable[[CellFlow], CellFlow]) -> "FlowFilms":
        """With both flows changed."""
        return replace(self, short=change(self.short), long=change(self.long))

    def rows(self, chosen: slice) -> "FlowFilms":
        """Some of the clips."""
        return replace(self.each(lambda flow: flow.each(lambda tensor: tensor[chosen])), extent=self.extent[chosen])

    def scaled(self, factor: Float[Tensor, " b"]) -> "FlowFilms":
        """As played that many times as fast."""
        return self.each(lambda flow: flow.times(factor[:, None, None, None, None]))

    def mirrored(self) -> "FlowFilms":
        """As seen in a mirror: left is right."""
        sign = torch.tensor([-1.0, 1.0])
        return self.each(lambda flow: flow.each(lambda tensor: tensor.flip(3)).times(sign))

    def reversed(self) -> "FlowFilms":
        """As played backwards."""
        return self.each(lambda flow: flow.each(lambda tensor: tensor.flip(1)).times(torch.tensor(-1.0)))


def flow_film(frames: Frames, fps: float) -> FlowFilms:
    """Of one clip of at least two frames; short ones repeat their moments.

    Raises InvalidInput on fewer frames and on smaller ones than flow can be found in, MissingExtra without OpenCV.
    """
    height, width = frames.shape[1:3]
    if len(frames) < 2 or min(height, width) < MIN_SIDE_PX:
        given = f"{len(frames)} frames of {width}x{height}"
        raise invalid(given, f"flow is between frames, {MIN_SIDE_PX} pixels each way", "give two frames, enlarged")
    extent = torch.tensor([[width, height]], dtype=torch.float32) / min(height, width)
    looks = _Looks(frames)
    with one_thread():
        short, long = (looks.flow(fps, count, time_s) for count, time_s in ((NUM_SHORT, SHORT_S), (NUM_LONG, LONG_S)))
    return FlowFilms(short=short, long=long, extent=extent)


class _Looks:
    """The frames of a clip as flow sees them, each made when it is first asked for."""

    def __init__(self, frames: Frames) -> None:
        self._frames = frames
        self._levelled = dict[int, np.ndarray]()
        cv2 = opencv()
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._dis.setFinestScale(FINEST_SCALE)
        self._dis.setVariationalRefinementIterations(0)

    def flow(self, fps: float, count: int, time_s: float) -> CellFlow:
        """Of `count` pairs, that many seconds apart where the clip is so long."""
        gap = max(1, min(round(fps * time_s), len(self._frames) - 1))
        starts = np.linspace(0, len(self._frames) - 1 - gap, count).round().astype(int).tolist()
        found = {start: self._pair(start, start + gap) for start in dict.fromkeys(starts)}
        speeds, *rest = (np.stack(part) for part in zip(*(found[start] for start in starts), strict=True))
        texture, likeness, standing = (torch.from_numpy(each)[None] for each in rest)
        speeds = torch.from_numpy(speeds * np.float32(fps / gap))[None]
        return CellFlow(speeds=speeds, texture=texture, likeness=likeness, standing=standing)

    def _pair(self, first: int, second: int) -> tuple[np.ndarray, ...]:
        before, after = self._look(first), self._look(second)
        flow = self._dis.calc(before, after, None)
        cells, texture = celled(flow, before, GRID)
        here, there, back = (_Shades(each) for each in (before, after, brought_back(after, flow)))
        return cells, texture, here.likeness(back), here.likeness(there)

    def _look(self, number: int) -> np.ndarray:
        if number not in self._levelled:
            self._levelled[number] = levelled(self._frames[number], SIDE_PX)
        return self._levelled[number]


class _Shades:
    """A frame's levels, and their mean and variance in each cell."""

    def __init__(self, picture: np.ndarray) -> None:
        self.levels = picture.astype(np.float32)
        self.mean = _pooled(self.levels)
        self.variance = np.maximum(_pooled(self.levels * self.levels) - self.mean * self.mean, 0)

    def likeness(self, other: "_Shades") -> np.ndarray:
        """Correlation of the cells of two frames."""
        together = _pooled(self.levels * other.levels) - self.mean * other.mean
        return together / np.sqrt(self.variance * other.variance + MIN_VARIANCE)


def _pooled(levels: np.ndarray) -> np.ndarray:
    return opencv().resize(levels, (GRID, GRID), interpolation=opencv().INTER_AREA)


def joined(films: list[FlowFilms]) -> FlowFilms:
    """Those of all clips as one."""
    short, long = (_joined([getattr(film, span) for film in films]) for span in ("short", "long"))
    return FlowFilms(short=short, long=long, extent=torch.cat([film.extent for film in films]))


def _joined(flows: list[CellFlow]) -> CellFlow:
    return CellFlow(**{one.name: torch.cat([getattr(flow, one.name) for flow in flows]) for one in fields(CellFlow)})


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
