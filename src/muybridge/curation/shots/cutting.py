"""Frames and joins into stretches of one shot, of bounded length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from muybridge.curation.shots.joins import CONTEXT, CORE, Join, JoinKind
from muybridge.curation.shots.reel import Reel
from muybridge.media.frames import Frames, Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Lengths:
    """Of stretches, in frames."""

    min: int
    max: int
    stride: int  # from the start of one to the next one's in the same shot
    trim: int  # left out on both sides of a join


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Frames of one shot, the first of them being number `first` of the source."""

    first: int
    frames: Frames
    shot: int
    begins: JoinKind | None  # the join before the shot; None for the first one
    num_trimmed: int  # frames left out next to the joins that it touches


class Cutting:
    """Takes frames, gives stretches as soon as nothing that is yet to come can change them. Memory: two stretches."""

    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths
        self._reel = Reel(room=2 * lengths.max + CORE + 2 * CONTEXT)
        self._start = 0  # where the next stretch begins
        self._shot = 0
        self._begins: JoinKind | None = None
        self._trimmed = 0

    @property
    def num_held(self) -> int:
        """Frames in memory."""
        return len(self._reel)

    def add(self, picture: Picture) -> None:
        """One more frame."""
        self._reel.add(picture)

    def settle(self, until: int, joins: Sequence[Join]) -> Iterator[Stretch]:
        """What is certain once all joins that begin before frame `until` are known, `joins` being the new ones."""
        for join in joins:
            yield from self._close(join.first - self._lengths.trim, trimmed=self._lengths.trim)
            self._shot, self._begins, self._trimmed = self._shot + 1, join.kind, self._lengths.trim
            self._start = join.end + self._lengths.trim
        yield from self._whole(until - self._lengths.trim)
        self._reel.forget(min(self._start, until))

    def finish(self) -> Iterator[Stretch]:
        """What is left at the end of the source."""
        yield from self._close(self._reel.end, trimmed=0)

    def _close(self, end: int, *, trimmed: int) -> Iterator[Stretch]:
        yield from self._whole(end)
        if end - self._start >= self._lengths.min:
            yield self._taken(end, trimmed=self._trimmed + trimmed)

    def _whole(self, end: int) -> Iterator[Stretch]:
        """Stretches of the full length that end by `end`."""
        while self._start + self._lengths.max <= end:
            yield self._taken(self._start + self._lengths.max, trimmed=self._trimmed)
            self._start += self._lengths.stride - self._lengths.max
            self._trimmed = 0

    def _taken(self, end: int, *, trimmed: int) -> Stretch:
        frames = self._reel.between(self._start, end)
        stretch = Stretch(first=self._start, frames=frames, shot=self._shot, begins=self._begins, num_trimmed=trimmed)
        self._start = end
        return stretch
