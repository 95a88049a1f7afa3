"""The pictures and films of a request, and whether they go together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from muybridge.core.errors import invalid
from muybridge.pipelines.conditions.media_ref import MediaRef

Direction = Literal["forwards", "backwards"]

DEFAULT_STRENGTH = 0.7  # of video to video


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyframe:
    """A picture at a time: a frame counted from 0, "24", or seconds, "1.5s"."""

    time: str
    picture: MediaRef

    @classmethod
    def of(cls, time: int | float | str, picture: Any) -> Self:
        """A keyframe at a frame (int), in seconds (float), or at the word of either. Raises InvalidInput."""
        if isinstance(time, bool) or not isinstance(time, (int, float, str)):
            raise invalid(f"keyframe at {time!r}", "needs a frame or seconds", 'write 24, or "1.5s"')
        word = f"{time!r}s" if isinstance(time, float) else str(time).strip()
        return cls(time=word, picture=MediaRef.of(picture))


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmConditions:
    """What a film is made from beside its prompt; nothing of it makes text to video.

    image, last_image: the first and the last frame. keyframes: pictures at other times. video: a film that is made
    anew at `strength`. mask: white where `image` or `video` is made anew. extend: a film that is continued in a
    `direction`, with `overlap` of its frames in common. loop: the last frame meets the first.
    """

    image: MediaRef | None = None
    last_image: MediaRef | None = None
    keyframes: tuple[Keyframe, ...] = ()
    video: MediaRef | None = None
    strength: float | None = None
    mask: MediaRef | None = None
    extend: MediaRef | None = None
    direction: Direction | None = None
    overlap: int | None = None
    loop: bool = False

    @property
    def share(self) -> float:
        """Of the run's steps that are taken: 1 where nothing says otherwise."""
        return 1.0 if self.strength is None else self.strength


def keyframes_of(given: Mapping[int | float | str, Any] | tuple[Keyframe, ...]) -> tuple[Keyframe, ...]:
    """Keyframes of {time: picture}. Raises InvalidInput."""
    if not isinstance(given, Mapping):
        return given
    return tuple(Keyframe.of(time, picture) for time, picture in given.items())
