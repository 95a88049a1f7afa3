"""How each event starts: places, speeds and surfaces from which the thing meant to happen does happen in the clip.

Speeds follow from the clip's length, so that an event fills a clip of one second as well as one of four. What comes
out is checked by simulation (`events.happens`); what is drawn here is only likely to pass.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MappingProxyType

from muybridge.worlds.movements import pick
from muybridge.worlds.physics.scene import Hinge, Quaternion, Thing
from muybridge.worlds.physics.shapes import SHAPES

GRAVITY = 9.81
_STRUCK = ("ball", "cube", "cylinder", "cone", "prism", "brick")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cast:
    """What is known before the event is staged: the subject's looks, a partner's, the way to go, the clip's length."""

    shape: str
    colour: str
    material: str
    other_colour: str
    other_material: str
    direction: int
    clip_s: float


Launch = Callable[[Cast, random.Random], tuple[Thing, ...]]


def launch(event: str, cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """The things of an event as they are in the first frame, the subject first."""
    return _LAUNCHES[event](cast, rng)


def about_y(angle: float) -> Quaternion:
    """A turn about the y axis, which takes z towards x."""
    return math.cos(angle / 2), 0.0, math.sin(angle / 2), 0.0


def _thing(cast: Cast, scale: float) -> Thing:
    """The subject standing in the middle in its natural stance."""
    return Thing(
        name="subject", shape=cast.shape, colour=cast.colour, material=cast.material, scale=scale,
        position=(0.0, 0.0, scale * SHAPES[cast.shape].extent[2]),
    )  # fmt: skip


def _random_turn(rng: random.Random) -> Quaternion:
    parts = [rng.gauss(0, 1) for _ in range(4)]
    norm = math.sqrt(sum(part * part for part in parts))
    w, x, y, z = (part / norm for part in parts)
    return w, x, y, z


def _static(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    is_tall = SHAPES[cast.shape].extent[2] > 0.65
    thing = _thing(cast, rng.uniform(0.7, 0.9) if is_tall else rng.uniform(0.7, 1.1))
    angle = rng.uniform(-0.6, 0.6)
    return (replace(thing, turn=(math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)), is_fixed=True),)


def _drop(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    thing = _thing(cast, rng.uniform(0.75, 1.0))
    fall_s = min(rng.uniform(0.36, 0.52) * cast.clip_s, 0.7)
    height = 0.5 * GRAVITY * fall_s**2
    x, _, z = thing.position
    tumble = cast.shape != "ball" and rng.random() < 0.5
    return (
        replace(
            thing, position=(x, 0.0, height + (thing.reach_m if tumble else z)), bounce=rng.uniform(0.05, 0.15),
            turn=_random_turn(rng) if tumble else thing.turn,
        ),
    )  # fmt: skip


def _bounce(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    thing = _thing(cast, rng.uniform(0.6, 0.85))
    fall_s = min(rng.uniform(0.28, 0.4) * cast.clip_s, 0.58)
    way = 0.0 if rng.random() < 0.4 else rng.uniform(0.6, 1.6) / cast.clip_s
    turn = thing.turn if cast.shape in ("ball", "cube") else about_y(rng.uniform(-0.4, 0.4))
    return (
        replace(
            thing, position=(-0.5 * cast.direction * way * cast.clip_s, 0.0, 0.5 * GRAVITY * fall_s**2 + thing.reach_m),
            velocity=(cast.direction * way, 0.0, 0.0), bounce=rng.uniform(0.7, 0.88), turn=turn, friction=0.4,
        ),
    )  # fmt: skip


def _rolling(thing: Thing, direction: int, *, speed: float, x: float) -> Thing:
    """The thing on edge, already rolling without slipping."""
    shape = SHAPES[thing.shape]
    rolling_radius = thing.scale * shape.extent[0]
    return replace(
        thing, position=(x, 0.0, rolling_radius), turn=shape.rolls or thing.turn,
        velocity=(direction * speed, 0.0, 0.0), spin=(0.0, direction * speed / rolling_radius, 0.0), friction=1.0,
    )  # fmt: skip


def _roll(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    way = rng.uniform(1.5, 2.6)
    thing = _thing(cast, rng.uniform(0.8, 1.1))
    return (_rolling(thing, cast.direction, speed=way / cast.clip_s, x=-0.5 * cast.direction * way),)


def _slide(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """Friction is what stops it after four fifths of the clip."""
    way, stop_s = rng.uniform(1.3, 2.2), 0.8 * cast.clip_s
    speed = 2 * way / stop_s
    thing = _thing(cast, rng.uniform(0.8, 1.1))
    _, _, z = thing.position
    return (
        replace(
            thing, position=(-0.5 * cast.direction * way, 0.0, z), velocity=(cast.direction * speed, 0.0, 0.0),
            friction=speed / (GRAVITY * stop_s),
        ),
    )  # fmt: skip


def _topple(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """A push over the lower edge, a little more than it needs; dominoes often stand in a row."""
    scale = rng.uniform(0.75, 0.95)
    extent_x, _, extent_z = (scale * part for part in SHAPES[cast.shape].extent)
    barrier = GRAVITY * (math.hypot(extent_x, extent_z) - extent_z)
    rate = math.sqrt(2 * barrier / (4 / 3 * (extent_x**2 + extent_z**2))) * rng.uniform(1.5, 2.0)
    count = rng.choice((1, 3, 4, 5)) if cast.shape == "domino" else 1
    step = rng.uniform(0.55, 0.7) * 2 * extent_z * (0.62 if count > 3 else 0.8)
    first = _thing(cast, scale)
    things = [
        replace(first, name="subject" if k == 0 else f"domino {k + 1}", friction=0.7, bounce=0.05,
                position=(cast.direction * step * (k - (count - 1) / 2), 0.0, extent_z))
        for k in range(count)
    ]  # fmt: skip
    things[0] = replace(
        things[0], spin=(0.0, cast.direction * rate, 0.0),
        velocity=(cast.direction * rate * extent_z, 0.0, rate * extent_x),
    )  # fmt: skip
    return tuple(things)


def _collide(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """The subject runs into a partner that rests or comes towards it."""
    way, meet_s = rng.uniform(0.8, 1.2), rng.uniform(0.3, 0.42) * cast.clip_s
    speed = way / meet_s
    thing = _thing(cast, rng.uniform(0.8, 1.0))
    partner = _thing(
        replace(cast, shape=pick(rng, _STRUCK), colour=cast.other_colour, material=cast.other_material),
        rng.uniform(0.75, 1.0),
    )
    meeting = -0.3 * cast.direction
    thing, partner = (
        _approaching(one, way, speed=pace, x=meeting + side * one.scale * SHAPES[one.shape].extent[0])
        for one, way, pace, side in (
            (thing, cast.direction, speed, -cast.direction),
            (replace(partner, name="partner"), -cast.direction, 0.6 * speed * (rng.random() < 0.35), cast.direction),
        )
    )
    moved = [_back(one, meet_s) for one in (thing, partner)]
    return moved[0], moved[1]


def _approaching(thing: Thing, direction: int, *, speed: float, x: float) -> Thing:
    """The thing at x, a ball rolling and others gliding at a speed."""
    surface = replace(thing, bounce=0.65, friction=0.06)
    if thing.shape == "ball":
        return _rolling(surface, direction, speed=speed, x=x)
    return replace(surface, position=(x, 0.0, thing.position[2]), velocity=(direction * speed, 0.0, 0.0))


def _back(thing: Thing, seconds: float) -> Thing:
    """The thing where it was so long before, at constant speed."""
    x, y, z = thing.position
    return replace(thing, position=(x - thing.velocity[0] * seconds, y, z))


def _swing(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """A pendulum let go from the side; longer clips see longer ones."""
    scale = rng.uniform(0.48, 0.62)
    length = min(rng.uniform(0.85, 1.1) * max(1.0, cast.clip_s / 1.4) ** 0.5, 1.5)
    start = math.radians(rng.uniform(38, 58))
    thing = _thing(cast, scale)
    pivot = (0.0, 0.0, length + thing.reach_m + 0.4)
    place = (-cast.direction * length * math.sin(start), 0.0, pivot[2] - length * math.cos(start))
    tilt = about_y(cast.direction * start)
    turn = tilt if SHAPES[cast.shape].rolls is None or cast.shape in ("ball", "cylinder", "capsule") else _on_edge(tilt)
    return (
        replace(
            thing,
            position=place,
            turn=turn,
            hinge=Hinge(pivot=pivot, axis=(0.0, 1.0, 0.0), rate=0.0, is_weightless=False),
        ),
    )


def _on_edge(tilt: Quaternion) -> Quaternion:
    """A turn about y after a quarter turn about x, so that a ring hangs facing the camera."""
    half = math.sqrt(0.5)
    w, _, y, _ = tilt
    return w * half, w * half, y * half, -y * half


def _orbit(cast: Cast, rng: random.Random) -> tuple[Thing, ...]:
    """A small weightless thing around a big ball that hovers."""
    ring, lean = rng.uniform(0.95, 1.15), math.radians(rng.uniform(8, 20))
    start = rng.uniform(0, 2 * math.pi)
    middle = (0.0, 0.0, 1.25)
    axis = (math.sin(lean), 0.0, math.cos(lean))
    x, y = ring * math.cos(start), ring * math.sin(start)
    position = (x * math.cos(lean), y, middle[2] - x * math.sin(lean))
    rate = cast.direction * 2 * math.pi * rng.uniform(0.65, 1.0) / min(cast.clip_s, 2.5)
    hinge = Hinge(pivot=middle, axis=axis, rate=rate, is_weightless=True)
    centre = Thing(
        name="partner", shape="ball", colour=cast.other_colour, material=cast.other_material,
        scale=rng.uniform(0.85, 1.05), position=middle, is_fixed=True,
    )  # fmt: skip
    return replace(_thing(cast, rng.uniform(0.45, 0.58)), position=position, hinge=hinge), centre


_LAUNCHES: MappingProxyType[str, Launch] = MappingProxyType({
    "static": _static, "drop": _drop, "bounce": _bounce, "roll": _roll, "slide": _slide, "topple": _topple,
    "collide": _collide, "swing": _swing, "orbit": _orbit,
})  # fmt: skip
