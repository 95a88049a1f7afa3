"""Another number of frames a second for a film of the same length: repeated, dropped, blended, or made by motion."""

from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np
from av.filter import Graph, filters_available
from av.video.format import VideoFormat
from av.video.frame import VideoFrame

from muybridge.core.errors import MediaError
from muybridge.media.frames import coarse, fine

Between = Literal["repeat", "blend"]

MIN_SIDE_PX = 32  # minterpolate's search needs some blocks on every side
MOTION = "mi_mode=mci:mc_mode=obmc:me_mode=bilat:mb_size=8:scd=none"
AROUND = 4  # frames that minterpolate looks at on either side; the ends are repeated so often, so that none is lost


class Retiming(Protocol):
    """Frames in, frames of another rate out."""

    def push(self, picture: np.ndarray) -> Iterator[np.ndarray]:
        """The frames that are certain once `picture` has come."""
        ...

    def flush(self) -> Iterator[np.ndarray]:
        """Those that are left."""
        ...


class Rate:
    """Frame k of the new rate is shown at k / output_fps, and is the frame that the film shows then, or with "blend"
    the mixture of its two neighbours by nearness. Memory: one frame.
    """

    def __init__(self, fps: Fraction, output_fps: Fraction, *, between: Between) -> None:
        self._step, self._blends = fps / output_fps, between == "blend"
        self._num_in, self._num_out = 0, 0
        self._last: np.ndarray | None = None

    def push(self, picture: np.ndarray) -> Iterator[np.ndarray]:
        """See `Retiming`."""
        before, index = self._last, self._num_in
        self._last, self._num_in = picture, index + 1
        if not self._blends:
            yield from self._until(index + 1, lambda place: picture)
        elif before is None:
            yield from self._until(Fraction(1, 10**9), lambda place: picture)
        else:
            yield from self._until(index, lambda place: mixed(before, picture, share=float(place - index + 1)))

    def flush(self) -> Iterator[np.ndarray]:
        """See `Retiming`."""
        last = self._last
        if last is not None:
            yield from self._until(self._num_in, lambda place: last)

    def _until(self, end: Fraction | int, picture_at: Callable[[Fraction], np.ndarray]) -> Iterator[np.ndarray]:
        while (place := self._num_out * self._step) < end:
            self._num_out += 1
            yield picture_at(place)


class Motion:
    """`factor` times as many frames: the film's own, and between them what FFmpeg's minterpolate makes of their motion.

    The last frame stays for as long as the others. Memory: about ten frames. Made frames have 8 bits.
    Raises MediaError where this FFmpeg has no such filter, and on frames too small for it.
    """

    def __init__(self, factor: int) -> None:
        check_motion()
        self._factor = factor
        self._graph: Graph | None = None
        self._originals: deque[np.ndarray] = deque()
        self._num_in, self._num_made = 0, 0
        self._last: np.ndarray | None = None

    def push(self, picture: np.ndarray) -> Iterator[np.ndarray]:
        """See `Retiming`."""
        if self._graph is None:
            self._graph = _graph(picture, factor=self._factor)
            for _ in range(AROUND):
                self._feed(picture)
        self._feed(picture)
        self._originals.append(picture)
        self._last = picture
        yield from self._ready()

    def flush(self) -> Iterator[np.ndarray]:
        """See `Retiming`."""
        if self._last is None:
            return
        for _ in range(AROUND):
            self._feed(self._last)
        yield from self._ready()
        yield from [self._last] * (self._factor - 1)

    def _feed(self, picture: np.ndarray) -> None:
        assert self._graph is not None
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(coarse(picture)), format="rgb24")
        frame.pts, frame.time_base = self._num_in, Fraction(1)
        self._num_in += 1
        self._graph.push(frame)

    def _ready(self) -> Iterator[np.ndarray]:
        while (made := self._pull()) is not None:
            place = self._num_made - AROUND * self._factor
            self._num_made += 1
            if place < 0 or not self._originals:
                continue
            if place % self._factor == 0:
                yield self._originals.popleft()
            elif self._originals:
                yield made if self._last is None or self._last.dtype == np.uint8 else fine(made)

    def _pull(self) -> np.ndarray | None:
        assert self._graph is not None
        try:
            frame = self._graph.pull()
        except (BlockingIOError, EOFError):
            return None
        assert isinstance(frame, VideoFrame)
        return frame.to_ndarray(format="rgb24")


def check_motion() -> None:
    """Raises MediaError where this FFmpeg has no filter for `Motion`."""
    if "minterpolate" not in filters_available:
        raise MediaError("interpolate: this FFmpeg has no minterpolate; use output_fps, and between=blend.")


def mixed(before: np.ndarray, after: np.ndarray, *, share: float) -> np.ndarray:
    """`share` of `after` and the rest of `before`, rounded to their levels."""
    levels = before.astype(np.float32) * (1 - share) + after.astype(np.float32) * share
    return np.round(levels).astype(before.dtype)


def _graph(picture: np.ndarray, *, factor: int) -> Graph:
    height, width = picture.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise MediaError(f"frames of {width}x{height}: motion needs {MIN_SIDE_PX} px; use output_fps.")
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=Fraction(1)),
        graph.add("format", "gbrp|yuv444p"),
        graph.add("minterpolate", f"fps={factor}:{MOTION}"),
        graph.add("buffersink"),
    ).configure()
    return graph
