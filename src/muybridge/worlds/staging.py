"""What a clip of the staged edition shows: one to three subjects, their relations, place, light, style and camera.

Like the flat edition's scene, a staged one is a handful of named facts drawn from (seed, index), without pixels.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from muybridge.core.seeding import mix
from muybridge.worlds.backgrounds import BACKGROUNDS, Background
from muybridge.worlds.lights import LIGHTS, lights_of
from muybridge.worlds.movements import MOVEMENTS, pick
from muybridge.worlds.styles import PLAIN_STYLE, STYLES
from muybridge.worlds.subjects import Facing, Subject

Relation = Literal["left of", "right of", "behind", "in front of"]
ShotType = Literal["close-up", "medium shot", "wide shot"]
MAX_SUBJECTS = 3
_PAIR_SALT = "held out pairs, staged edition"
_CLOSE, _WIDE = 0.72, 0.4  # sizes on the screen at which a shot becomes a close-up, and stops being a wide shot
_WALL_CAMERAS = ("static", "zoom in", "zoom out", "handheld")  # the others need something to move past


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """One subject in a staged scene.

    `x` is its place on the screen of the resting camera, in heights from the middle; `z` its distance; `size` that of
    its square in world units (lens.py); `phase` in [0, 1) where its animation starts.
    """

    subject: str
    motion: str
    facing: Facing
    x: float
    z: float
    size: float
    phase: float

    @property
    def screen_size(self) -> float:
        """Its size at rest in heights of the frame."""
        return self.size / self.z


@dataclass(frozen=True, kw_only=True, slots=True)
class StagedScene:
    """The facts of one clip. `actors[0]` is the main one; `relations[k]` says where `actors[k + 1]` is seen from it.

    `sway` in [0, 1] is the handheld camera's phase; `detail_seed` settles the place's details, grain and wording.
    """

    actors: tuple[Actor, ...]
    relations: tuple[Relation, ...]
    background: str
    light: str
    style: str
    camera: str
    sway: float
    detail_seed: int

    @property
    def shot_type(self) -> ShotType:
        """Close-up, medium or wide, by the main subject's size in the frame."""
        size = self.actors[0].screen_size
        return "close-up" if size > _CLOSE else "medium shot" if size > _WIDE else "wide shot"

    @property
    def combinations(self) -> tuple[tuple[str, str, str, str], ...]:
        """What decides whether a scene is held out, the same for both editions, for each actor."""
        return tuple((actor.subject, self.background, actor.motion, self.camera) for actor in self.actors)

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The subjects that meet, each pair in alphabetical order."""
        first = self.actors[0].subject
        return tuple((min(first, other.subject), max(first, other.subject)) for other in self.actors[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Repertoire:
    """What may occur: number of subjects, names of styles, lights and cameras; () is all of them."""

    max_subjects: int = MAX_SUBJECTS
    styles: tuple[str, ...] = ()
    lights: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()

    def backgrounds(self, cast: Sequence[Subject]) -> list[Background]:
        """Those in which every member of the cast is seen and at home, with a light and a camera that fit."""
        return [
            background for background in BACKGROUNDS.values()
            if self.lights_in(background) and self.cameras_in(background)
            and all(_suits(subject, background) for subject in cast)
        ]  # fmt: skip

    def lights_in(self, background: Background) -> tuple[str, ...]:
        """The lights that fit a background."""
        return tuple(name for name in lights_of(background) if name in (self.lights or LIGHTS))

    def cameras_in(self, background: Background) -> tuple[str, ...]:
        """The cameras that fit a background."""
        fitting = MOVEMENTS if background.is_place else _WALL_CAMERAS
        return tuple(name for name in fitting if name in (self.cameras or MOVEMENTS))


def is_pair_held_out(pair: tuple[str, str], fraction: float) -> bool:
    """True for a fixed `fraction` of the pairs of subjects."""
    return mix(0, _PAIR_SALT, *pair) % 1_000_000 < fraction * 1_000_000


def draw_staged(subjects: Sequence[Subject], rng: random.Random, repertoire: Repertoire) -> StagedScene:
    """A random scene that fits together: everyone at home and visible, and seldom more than one thing that moves."""
    cast, background = _draw_cast(subjects, rng, repertoire)
    camera = _draw_camera(repertoire.cameras_in(background), rng)
    motion = _draw_motion(cast[0], camera, rng, is_alone=len(cast) == 1)
    places, relations = _draw_places(len(cast), camera, motion, rng)
    actors = tuple(
        Actor(
            subject=subject.name, motion=motion if number == 0 else _draw_extra(subject, rng),
            facing=_draw_facing(subject, motion if number == 0 else "still", rng),
            x=round(place[0], 3), z=round(place[1], 3), size=round(place[2], 3), phase=round(rng.random(), 4),
        )
        for number, (subject, place) in enumerate(zip(cast, places, strict=True))
    )  # fmt: skip
    style = _draw_style(repertoire.styles or tuple(STYLES), rng)
    return StagedScene(
        actors=actors, relations=relations, background=background.name,
        light=pick(rng, repertoire.lights_in(background)), style=style, camera=camera, sway=round(rng.random(), 4),
        detail_seed=int(rng.random() * 2**40),
    )  # fmt: skip


def at_rest(scene: StagedScene) -> StagedScene:
    """The scene as a picture of it claims to be: nothing moves."""
    return replace(scene, camera="static", actors=tuple(replace(actor, motion="still") for actor in scene.actors))


def _suits(subject: Subject, background: Background) -> bool:
    """Whether a subject is seen before a background and at home in it: no whale in the desert, no car at sea."""
    if set(background.tones) & set(subject.tones):
        return False
    if not background.is_place or subject.realm == "air":
        return True
    return (background.name == "sea") == (subject.realm == "water")


def _draw_cast(
    subjects: Sequence[Subject], rng: random.Random, repertoire: Repertoire
) -> tuple[list[Subject], Background]:
    """Different subjects and a background for all of them; fewer subjects where none suits them all."""
    chance = rng.random()
    wanted = 1 if chance < 0.45 else 2 if chance < 0.8 else MAX_SUBJECTS
    remaining, cast = list(subjects), [pick(rng, subjects)]
    while len(cast) < min(wanted, repertoire.max_subjects, len(subjects)):
        remaining.remove(cast[-1])
        cast.append(pick(rng, remaining))
    is_place = rng.random() < 0.7
    while True:
        fitting = repertoire.backgrounds(cast)
        if fitting:
            return cast, pick(rng, [one for one in fitting if one.is_place == is_place] or fitting)
        cast = cast[:-1] or [pick(rng, subjects)]


def _draw_camera(cameras: Sequence[str], rng: random.Random) -> str:
    """Static two times in five where it is possible, else any."""
    if "static" in cameras and rng.random() < 0.4:
        return "static"
    return pick(rng, cameras)


def _draw_motion(subject: Subject, camera: str, rng: random.Random, *, is_alone: bool) -> str:
    """The main subject's motion: free before a static camera, now and then beside a moving one, depth only alone."""
    across = ("right", "left")
    upwards = ("up", "down", "circle") if subject.realm == "air" else ()
    hops = ("hop",) if subject.realm == "ground" else ()
    if camera == "static":
        depth = ("toward", "away") if is_alone else ()
        return pick(rng, ("still", *across, *across, *depth, *upwards, *hops))
    if rng.random() < 0.65:
        return "still"
    if camera == "handheld":
        return pick(rng, (*across, *hops, *upwards))
    return pick(rng, (*hops, *upwards[2:], "still"))


def _draw_extra(subject: Subject, rng: random.Random) -> str:
    """The motion of one of the others: mostly none, else one that keeps it in its place."""
    return "hop" if subject.realm == "ground" and rng.random() < 0.2 else "still"


def _draw_facing(subject: Subject, motion: str, rng: random.Random) -> Facing:
    coin = rng.random()
    if subject.facing == "front":
        return "front"
    if motion == "right" or motion == "left":
        return motion
    return "left" if coin < 0.5 else "right"


def _draw_style(styles: Sequence[str], rng: random.Random) -> str:
    """The plain one twice in five times where it is allowed, else any."""
    if PLAIN_STYLE in styles and rng.random() < 0.4:
        return PLAIN_STYLE
    return pick(rng, styles)


Place = tuple[float, float, float]  # x on the screen, distance, size in world units

# (relations; for each actor: x on the screen, distance, size on the screen). "a" stands beside, "d" in depth.
_DUOS: Mapping[str, tuple[tuple[Relation, ...], tuple[Place, ...]]] = MappingProxyType(
    {
        "right": (("right of",), ((-0.23, 1.0, 0.42), (0.23, 1.0, 0.4))),
        "left": (("left of",), ((0.23, 1.0, 0.42), (-0.23, 1.0, 0.4))),
        "behind": (("behind",), ((-0.12, 0.92, 0.44), (0.17, 1.75, 0.34))),
        "front": (("in front of",), ((0.16, 1.6, 0.4), (-0.14, 0.9, 0.38))),
    }
)
_TRIOS: tuple[tuple[tuple[Relation, ...], tuple[Place, ...]], ...] = (
    (("left of", "right of"), ((0.0, 1.0, 0.32), (-0.31, 1.0, 0.3), (0.31, 1.0, 0.3))),
    (("left of", "behind"), ((0.03, 0.95, 0.36), (-0.29, 1.0, 0.32), (0.26, 1.75, 0.3))),
    (("right of", "behind"), ((-0.03, 0.95, 0.36), (0.29, 1.0, 0.32), (-0.26, 1.75, 0.3))),
    (("behind", "in front of"), ((0.02, 1.2, 0.36), (0.26, 2.0, 0.28), (-0.24, 0.85, 0.32))),
)


def _draw_places(number: int, camera: str, motion: str, rng: random.Random) -> tuple[list[Place], tuple[Relation, ...]]:
    """Where the actors are: alone by a shot type, several by one of the arrangements, mirrored half the time."""
    if number == 1:
        return [_draw_solo(camera, motion, rng)], ()
    in_depth = motion in ("left", "right")  # who passes the others passes in front of or behind them
    if number == 2:
        relations, places = _DUOS[pick(rng, ("behind", "front") if in_depth else tuple(_DUOS))]
    else:
        relations, places = _TRIOS[-1] if in_depth else pick(rng, _TRIOS)
    sign = -1.0 if rng.random() < 0.5 and not {"left of", "right of"} & set(relations) else 1.0
    drawn = []
    for x, z, screen in places:
        size = screen * (0.92 + 0.16 * rng.random())
        drawn.append((sign * x + 0.03 * (2 * rng.random() - 1), z * (0.97 + 0.06 * rng.random()), size * z))
    return drawn, relations


def _draw_solo(camera: str, motion: str, rng: random.Random) -> Place:
    """A place by shot type: close-ups only of what stays, room for the camera's and the subject's way."""
    kind, share, aside = rng.random(), rng.random(), 2 * rng.random() - 1
    if motion in ("toward", "away"):
        return 0.06 * aside, 1.0, 0.56 + 0.08 * share
    if motion in ("up", "down", "circle"):
        return 0.12 * aside, 1.0, 0.34 + 0.12 * share
    if kind < 0.25 and motion == "still" and camera in ("static", "handheld", "zoom out"):
        z, screen = 0.68 + 0.1 * share, 0.8 + 0.14 * share
    elif kind < 0.65:
        z, screen = 0.92 + 0.2 * share, 0.44 + (0.2 if camera in ("static", "handheld") else 0.1) * rng.random()
    else:
        z, screen = 1.5 + 0.6 * share, 0.24 + 0.13 * rng.random()
    reach = 0.22 if camera in ("static", "handheld") else 0.08
    return reach * aside, z, screen * z
