"""Joins between shots, and where they are looked for: in thumbnails, a window of time after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture

JoinKind = Literal["cut", "fade", "dissolve", "wipe"]
Thumbnails = UInt8[np.ndarray, "t 27 48 3"]

WIDTH_PX, HEIGHT_PX = 48, 27  # TransNetV2's input (arXiv 2008.04838, 3), which is plenty for ours too
CORE = 100  # frames that a window decides on
CONTEXT = 50  # frames that it sees on both sides of them
MAX_JOIN = 2 * 40  # frames of the longest join


@dataclass(frozen=True, kw_only=True, slots=True)
class Join:
    """Frames `first` up to `end` show both shots or neither; the next shot begins with `end`. A cut has no frames."""

    first: int
    end: int
    kind: JoinKind

    def shifted(self, num_frames: int) -> "Join":
        """The same join, counted from another frame."""
        return Join(first=self.first + num_frames, end=self.end + num_frames, kind=self.kind)


Detect = Callable[[Thumbnails], Sequence[Join]]


def thumbnail(picture: Picture) -> UInt8[np.ndarray, "27 48 3"]:
    """The picture as detectors see it, stretched to 16:9. Raises MissingExtra.

    Halves first, an odd row or column less, which takes a third of the time.
    """
    module = opencv()
    height, width = picture.shape[:2]
    while height >= 2 * HEIGHT_PX and width >= 2 * WIDTH_PX:
        height, width = height // 2, width // 2
        picture = module.resize(picture[: 2 * height, : 2 * width], (width, height), interpolation=module.INTER_AREA)
    return module.resize(picture, (WIDTH_PX, HEIGHT_PX), interpolation=module.INTER_AREA)


class JoinSearch:
    """Joins of a film that comes frame by frame. Windows begin at fixed frames, so that what is found is too."""

    def __init__(self, detect: Detect) -> None:
        self._detect = detect
        self._seen: list[np.ndarray] = []
        self._base = 0  # frame number of the first that is kept
        self._decided = 0  # frames before this one are
        self._last_end = 0

    @property
    def settled(self) -> int:
        """No join that is yet to be found begins before this frame."""
        return max(self._last_end, self._decided - MAX_JOIN // 2)

    def add(self, picture: Picture) -> list[Join]:
        """Look at one more frame; the joins that are found now."""
        return self.look(thumbnail(picture))

    def look(self, small: UInt8[np.ndarray, "27 48 3"]) -> list[Join]:
        """As `add`, of a thumbnail."""
        self._seen.append(small)
        if self._base + len(self._seen) < self._decided + CORE + CONTEXT:
            return []
        return self._window()

    def finish(self) -> list[Join]:
        """The joins in what is left, once no frame comes any more."""
        joins: list[Join] = []
        while self._decided < self._base + len(self._seen):
            joins += self._window()
        return joins

    def _window(self) -> list[Join]:
        """Decide on the next frames: a join belongs to the window whose core its middle lies in."""
        size = self._decided - self._base + CORE + CONTEXT
        found = [join.shifted(self._base) for join in self._detect(np.stack(self._seen[:size]))]
        until = self._decided + CORE
        joins = []
        for join in sorted(found, key=lambda join: join.first):
            if self._decided <= (join.first + join.end) // 2 < until and join.first >= self._last_end:
                joins.append(join)
                self._last_end = join.end
        drop = max(0, until - CONTEXT - self._base)
        del self._seen[:drop]
        self._base, self._decided = self._base + drop, until
        return joins
