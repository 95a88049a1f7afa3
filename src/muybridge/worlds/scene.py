"""What a clip shows, as a few named facts drawn from (seed, index); cheap, so captions need no pixels."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from muybridge.core.seeding import mix
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.motion import motions_of, size_range
from muybridge.worlds.subjects import Facing, Subject

_MOVING_CAMERAS = tuple(camera for camera in CAMERAS if camera not in ("static", "follow"))
_HELD_OUT_SALT = "held out combinations, first edition"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The facts of one clip. Positions and sizes are relative to the frame, so it can be rendered at any size.

    `size` is the subject's square in heights of the frame; `offset` in [-1, 1] its sideways place; `phase` in [0, 1)
    where its animation starts; `detail_seed` settles the background's details and the wording of captions.
    """

    subject: str
    background: str
    motion: str
    camera: str
    facing: Facing
    size: float
    offset: float
    phase: float
    detail_seed: int

    @property
    def combination(self) -> tuple[str, str, str, str]:
        """What decides whether a scene is held out."""
        return self.subject, self.background, self.motion, self.camera


def is_held_out(combination: tuple[str, str, str, str], fraction: float) -> bool:
    """True for a fixed `fraction` of the combinations of subject, background, motion and camera."""
    return mix(0, _HELD_OUT_SALT, *combination) % 1_000_000 < fraction * 1_000_000


def draw_scene(subjects: Sequence[Subject], rng: random.Random) -> Scene:
    """A random scene that fits together: no subject on its own colour, moving cameras only in places."""
    subject = subjects[int(rng.random() * len(subjects))]
    background = _draw_background(subject, rng)
    motion, camera = _draw_movement(subject, BACKGROUNDS[background].is_place, rng)
    low, high = size_range(motion) if camera in ("static", "handheld", "follow") else (0.48, 0.6)
    size = low + (high - low) * rng.random()
    offset, phase, coin = 2 * rng.random() - 1, rng.random(), rng.random()
    return Scene(
        subject=subject.name, background=background, motion=motion, camera=camera,
        facing=_facing(subject, motion, coin), size=round(size, 3),
        offset=round(offset if camera in ("static", "handheld") else 0.2 * offset, 3), phase=round(phase, 4),
        detail_seed=int(rng.random() * 2**40),
    )  # fmt: skip


def _facing(subject: Subject, motion: str, coin: float) -> Facing:
    if subject.facing == "front":
        return "front"
    if motion == "right" or motion == "left":
        return motion
    return "left" if coin < 0.5 else "right"


def _draw_background(subject: Subject, rng: random.Random) -> str:
    """Half plain colours, half places; places where the subject is at home three times as often as others."""
    is_place = rng.random() < 0.6
    fitting = [
        background for background in BACKGROUNDS.values()
        if background.is_place == is_place and not set(background.tones) & set(subject.tones)
    ]  # fmt: skip
    weights = [3.0 if subject.realm in background.likes or not is_place else 1.0 for background in fitting]
    mark = rng.random() * sum(weights)
    for background, weight in zip(fitting, weights, strict=True):
        mark -= weight
        if mark < 0:
            return background.name
    return fitting[-1].name


def _draw_movement(subject: Subject, is_place: bool, rng: random.Random) -> tuple[str, str]:
    """A motion and a camera: at most one of them moves, so that a clip reads one way; or the camera follows."""
    kind = rng.random()
    if is_place and kind < 0.35:
        return "still", _MOVING_CAMERAS[int(rng.random() * len(_MOVING_CAMERAS))]
    if is_place and kind < 0.47:
        return ("right" if rng.random() < 0.5 else "left"), "follow"
    choices = motions_of(subject)
    weights = [2.0 if motion in ("right", "left", "still") else 1.0 for motion in choices]
    mark = rng.random() * sum(weights)
    for motion, weight in zip(choices, weights, strict=True):
        mark -= weight
        if mark < 0:
            return motion, "static"
    return choices[-1], "static"
