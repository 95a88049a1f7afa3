"""Cutting every few seconds, and brightness: a splitter and a stage that need no network and decide nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from muybridge.core.errors import invalid
from muybridge.curation.clip import Clip, SourceFile, Value
from muybridge.curation.plain import Measurement
from muybridge.curation.shots.footage import Footage, footage
from muybridge.curation.shots.pieces import clip_of, origin_of
from muybridge.curation.stage import Column, Resources


@dataclass(frozen=True, kw_only=True, slots=True)
class EvenSplitter:
    """Clips of `seconds` each, the last one shorter: for footage that is cut already, and for trials."""

    seconds: float = 4.0
    side_px: int = 256
    max_fps: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 60:
            raise invalid(f"seconds={self.seconds}", "a clip lasts up to 60 s, as it is held in memory", "use 4")
        if self.side_px < 2 or self.side_px % 2:
            raise invalid(f"side_px={self.side_px}", "the short side is even", "use 256")

    @property
    def name(self) -> str:
        """As of a stage."""
        return "even"

    @property
    def version(self) -> int:
        """As of a stage."""
        return 1

    @property
    def outputs(self) -> Mapping[str, Column]:
        """Which of its source's pieces a clip is, from 0."""
        return {"shot": "int"}

    @property
    def resources(self) -> Resources:
        """Decoding alone."""
        return Resources(cpus=0.25)

    def prepare(self) -> None:
        """Fetch nothing."""

    def setup(self) -> None:
        """Load nothing."""

    def clips(self, source: SourceFile) -> Iterator[Clip]:
        """As of `Splitter`. Memory: one clip. Raises MediaError at damage, after what lies before it."""
        with footage(source.path, side_px=self.side_px, max_fps=self.max_fps) as shown:
            origin, num_frames = origin_of(source, shown), max(1, round(self.seconds * shown.fps))
            version = f"{self.name} {self.version}"
            for number, frames in enumerate(_pieces(shown, num_frames)):
                first, values = number * num_frames, {"shot": number}
                yield clip_of(np.stack(frames), shown, origin, first=first, version=version, values=values)


class Brightness(Measurement):
    """How bright a clip is: the mean of its pixels, 0 to 1."""

    name = "brightness"
    outputs: Mapping[str, Column] = MappingProxyType({"brightness": "float"})

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The mean."""
        return {"brightness": float(clip.frames.mean() / 255)}


def _pieces(shown: Footage, num_frames: int) -> Iterator[list[np.ndarray]]:
    """The frames, so many at a time; where reading them ends in an error, what came before it first."""
    held: list[np.ndarray] = []
    frames = iter(shown.frames)
    while True:
        try:
            picture = next(frames, None)
        except Exception:
            if held:
                yield held
            raise
        if picture is not None:
            held.append(picture)
        if held and (picture is None or len(held) == num_frames):
            yield held
            held = []
        if picture is None:
            return
