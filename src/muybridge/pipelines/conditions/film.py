"""The pictures and films of a request, and whether they go together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from muybridge.core.errors import invalid
from muybridge.core.shapes import TEMPORAL_RATIO
from muybridge.pipelines.conditions.media_ref import MediaRef
from muybridge.pipelines.film_times import at_times, check_time, frame_at, time_word

Direction = Literal["forwards", "backwards"]

DEFAULT_STRENGTH = 0.7  # of video to video: the share of the run's steps
DEFAULT_OVERLAP = 9  # frames, three latent ones: they say where things are and how they move

# Conditions that say two things about the same frames, and what to do instead.
APART: tuple[tuple[str, str, str], ...] = (
    ("extend", "video", "the film goes on after `extend`; leave one out"),
    ("extend", "mask", "the film goes on after `extend`; leave one out"),
    ("extend", "loop", "extend the film, then make its end meet its start with keyframes"),
    ("loop", "last_image", "the last frame meets the first; leave one out"),
    ("loop", "keyframes", "leave one out"),
    ("loop", "video", "leave one out"),
    ("loop", "mask", "leave one out"),
    ("mask", "last_image", "a mask frees parts of one picture or film; leave one out"),
    ("mask", "keyframes", "a mask frees parts of one picture or film; leave one out"),
)
# Conditions that act only beside another.
BESIDE: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("mask", ("image", "video"), "give the picture as image or the film as video"),
    ("strength", ("video",), "give a film or picture as video"),
    ("direction", ("extend",), "give the film to continue as extend"),
    ("overlap", ("extend",), "give the film to continue as extend"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keyframe:
    """A picture at a time, as `pipelines.film_times` writes it. Raises InvalidInput on another word."""

    time: str
    picture: MediaRef

    def __post_init__(self) -> None:
        check_time(self.time, name="keyframe")

    @classmethod
    def of(cls, time: int | float | str, picture: Any) -> Self:
        """A keyframe at a frame (int), in seconds (float), or at the word of either. Raises InvalidInput."""
        return cls(time=time_word(time, name="keyframe"), picture=MediaRef.of(picture))

    def frame(self, fps: float) -> int:
        """The frame of a film at this rate that is nearest."""
        return round(frame_at(self.time, fps))


@dataclass(frozen=True, kw_only=True, slots=True)
class FilmConditions:
    """What a film is made from beside its prompt; nothing of it makes text to video.

    image, last_image: the first and the last frame. keyframes: pictures at other times. video: a film, or a picture
    for a picture, that is made anew at `strength`, a share of the run's steps. mask: white where `image` or `video` is
    made anew, black where it stays. extend: a film that is continued in a `direction`, with `overlap` of its frames
    (4n+1) in common. loop: the last frame meets the first, in one frame less. dynamic: more motion, from
    weights that were made for pictures. Raises InvalidInput where they do not go together.
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
    dynamic: bool = False

    def __post_init__(self) -> None:
        for one, other, remedy in APART:
            if getattr(self, one) and getattr(self, other):
                raise invalid(f"{one} with {other}", "they speak of the same frames", remedy)
        for name, needed, remedy in BESIDE:
            if getattr(self, name) is not None and not any(getattr(self, each) for each in needed):
                raise invalid(f"{name} without {' or '.join(needed)}", "has nothing to act on", remedy)
        if self.image and self.video and self.mask:
            raise invalid("image and video with mask", "a mask frees parts of one of them", "leave one out")
        self._check_values()
        self._check_ends()

    def _check_values(self) -> None:
        if self.strength is not None and not 0 < self.strength <= 1:
            raise invalid(f"strength={self.strength}", "lies above 0 and up to 1", f"use {DEFAULT_STRENGTH}")
        if self.overlap is not None and (self.overlap < 1 or self.overlap % TEMPORAL_RATIO != 1):
            raise invalid(f"overlap={self.overlap}", "needs 4n+1 frames", f"use 1, 5 or {DEFAULT_OVERLAP}")
        if self.direction not in (None, "forwards", "backwards"):
            raise invalid(f"direction={self.direction}", "a film is continued at one of its ends", "use forwards")

    def _check_ends(self) -> None:
        end = "last_image" if self.is_backwards else "image"
        if self.extend and getattr(self, end):
            rule = f"the film's own frames are there when it is continued {self.direction or 'forwards'}"
            raise invalid(f"{end} with extend", rule, "leave one out, or go the other way with direction")

    @property
    def share(self) -> float:
        """Of the run's steps that are taken: 1 where nothing says otherwise."""
        if self.strength is not None:
            return self.strength
        return DEFAULT_STRENGTH if self.video and not self.mask else 1.0

    @property
    def is_backwards(self) -> bool:
        """Whether new frames come before `extend`."""
        return self.direction == "backwards"

    @property
    def held_overlap(self) -> int:
        """Frames that the new part has in common with `extend`; 0 where none is continued."""
        return (self.overlap or DEFAULT_OVERLAP) if self.extend else 0

    @property
    def leading(self) -> tuple[str, MediaRef] | None:
        """The condition whose aspect the film takes where nothing else is said, by its option's name."""
        return next(self.media(), None)

    def media(self) -> Iterator[tuple[str, MediaRef]]:
        """Every picture and film with its option's name; the mask last."""
        for name in ("extend", "video", "image", "last_image"):
            if (ref := getattr(self, name)) is not None:
                yield name, ref
        yield from (("keyframe", each.picture) for each in self.keyframes)
        if self.mask is not None:
            yield "mask", self.mask

    def pattern(self) -> tuple[Any, ...]:
        """What films of one batch have in common: the kind of everything given, and the mask itself."""
        times = tuple(each.time for each in self.keyframes)
        own = (getattr(self, field.name) for field in fields(self) if field.name != "keyframes")
        return times, self.mask, *(value is not None if isinstance(value, MediaRef) else value for value in own)

    def identified(self) -> Self:
        """With the full path and hash of every file. Raises InvalidInput where one is absent or another."""
        found = {name: ref.identified(name) for name, ref in self.media() if name != "keyframe"}
        keyframes = tuple(replace(each, picture=each.picture.identified("keyframe")) for each in self.keyframes)
        return replace(self, keyframes=keyframes, **found)

    def check(self, *, num_frames: int, fps: float) -> None:
        """Raises InvalidInput where a film of this length has no room for them. Reads no file."""
        is_still = num_frames == 1 and not self.mask
        if is_still and (self.image or self.last_image or self.keyframes):
            remedy = "give it as video with a strength, or make a film of 5 frames or more"
            raise invalid("a picture of a picture", "its only frame is given already", remedy)
        if self.loop and num_frames < 2 * TEMPORAL_RATIO + 1:
            raise invalid(f"loop of {num_frames} frames", "needs at least 9", "use frames=33")
        if self.held_overlap and num_frames <= self.held_overlap:
            rule = f"the overlap of {self.held_overlap} is part of them"
            raise invalid(f"frames={num_frames} with extend", rule, f"use frames={self.held_overlap + 24}")
        self._check_keyframes(num_frames, fps)

    def _check_keyframes(self, num_frames: int, fps: float) -> None:
        last = num_frames - 1
        taken = {0: "image"} if self.image else {}
        taken |= {last: "last_image"} if self.last_image else {}
        for keyframe in self.keyframes:
            frame = keyframe.frame(fps)
            if frame > last:
                rule = f"the film's last frame is {last}, at {last / fps:.2f}s"
                raise invalid(f"keyframe at {keyframe.time}", rule, "choose an earlier time or more frames")
            for other, name in taken.items():
                if latent_frame(other) == latent_frame(frame):
                    rule = f"{name} at frame {other} is in the same latent frame, which holds {TEMPORAL_RATIO} frames"
                    raise invalid(f"keyframe at {keyframe.time}", rule, "leave one out, or place them further apart")
            taken[frame] = "another keyframe"


def latent_frame(frame: int) -> int:
    """The latent frame that a frame is in: the first stands alone, each later one holds four.   Paper 4.1."""
    return -(-frame // TEMPORAL_RATIO)


def keyframes_of(given: Any) -> tuple[Keyframe, ...]:
    """Keyframes, of {time: picture} or a list of "TIME=FILE". Raises InvalidInput."""
    if isinstance(given, Sequence) and all(isinstance(each, Keyframe) for each in given):
        return tuple(given)
    return tuple(Keyframe.of(time, picture) for time, picture in at_times(given, name="keyframe", what="FILE"))
