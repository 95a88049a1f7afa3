"""What stands around and is never touched: walls with pictures, trees, houses; it shows how the camera moves."""

import math
import random
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from muybridge.core.seeding import mix
from muybridge.worlds.physics.engine import geom_type
from muybridge.worlds.physics.places import PLACES, Place
from muybridge.worlds.physics.scene import PhysicsScene, Thing

ROOM_M = (7.0, 4.6, 12.0)  # a room's half width, its depth behind the middle, and before it
_COUNT = 14  # of things in the distance


def add_scenery(spec: Any, scene: PhysicsScene) -> None:
    """Walls, what stands around, and the gantry of a pendulum."""
    place, rng = PLACES[scene.place], random.Random(mix(scene.detail_seed, "surroundings"))
    if place.sides == "room":
        _add_walls(spec, place)
    if place.stands == "pictures":
        _hang_pictures(spec, rng)
    elif place.stands and place.sides == "room":
        _line_walls(spec, place, rng)
    elif place.stands:
        _stand_around(spec, place, rng)
    if scene.event == "swing":
        _add_gantry(spec, scene.subject)


def _block(
    spec: Any, kind: str, *, pos: Sequence[float], size: Sequence[float], rgb: Sequence[float], angle: float = 0.0
) -> None:
    """A piece of scenery, turned by `angle` about the vertical."""
    spec.worldbody.add_geom(
        type=geom_type(kind), pos=pos, size=[*size, 0, 0][:3], rgba=[*rgb, 1], contype=0, conaffinity=0,
        quat=[math.cos(angle / 2), 0, 0, math.sin(angle / 2)],
    )  # fmt: skip


def _add_walls(spec: Any, place: Place) -> None:
    wide, back, front = ROOM_M
    skirting = [0.75 * part for part in place.wall]
    for x, y, half_x, half_y in (
        (0, back, wide, 0.1), (0, -front, wide, 0.1),
        (wide, (back - front) / 2, 0.1, (back + front) / 2), (-wide, (back - front) / 2, 0.1, (back + front) / 2),
    ):  # fmt: skip
        _block(spec, "box", pos=[x, y, 3.0], size=[half_x, half_y, 3.0], rgb=place.wall)
        _block(spec, "box", pos=[x, y, 0.09], size=[half_x + 0.03, half_y + 0.03, 0.09], rgb=skirting)


def _hang_pictures(spec: Any, rng: random.Random) -> None:
    back = ROOM_M[1]
    for k in range(-2, 3):
        x, z = 2.4 * k + rng.uniform(-0.5, 0.5), rng.uniform(1.6, 2.3)
        half = (rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.55))
        shade = rng.uniform(0.3, 0.5)
        frame = [shade, 0.8 * shade, 0.6 * shade]
        _block(spec, "box", pos=[x, back - 0.12, z], size=[half[0], 0.04, half[1]], rgb=frame)
        art = [rng.uniform(0.3, 0.85) for _ in range(3)]
        _block(spec, "box", pos=[x, back - 0.15, z], size=[half[0] - 0.07, 0.03, half[1] - 0.07], rgb=art)


def _stand_around(spec: Any, place: Place, rng: random.Random) -> None:
    """A loose arc in the distance, on the far side and to both sides."""
    near, far = (11.0, 18.0) if place.stands == "houses" else (6.5, 15.0)
    for k in range(_COUNT):
        angle = math.radians(-115 + 230 * (k + rng.uniform(0.15, 0.85)) / _COUNT)
        away = rng.uniform(near, far)
        _STANDS[place.stands](spec, away * math.sin(angle), away * math.cos(angle), rng)


def _line_walls(spec: Any, place: Place, rng: random.Random) -> None:
    wide, back, _ = ROOM_M
    for side in (-1, 1):
        for y in (-7.0, -3.8, -0.6, 2.6):
            _STANDS[place.stands](spec, side * (wide - 0.6), y, rng)
    for x in (-3.9, -1.3, 1.3, 3.9):
        _STANDS[place.stands](spec, x, back - 0.6, rng)


def _tree(spec: Any, x: float, y: float, rng: random.Random) -> None:
    size = _trunk(spec, x, y, rng)
    leaves = _leaves(rng)
    for level in range(3):
        wide = (0.95 - 0.24 * level) * size
        pos = [x + 0.3 * rng.uniform(-1, 1), y + 0.3 * rng.uniform(-1, 1), (1.7 + 0.5 * level) * size]
        _block(spec, "ellipsoid", pos=pos, size=[wide, wide, 0.75 * wide], rgb=leaves)


def _fir(spec: Any, x: float, y: float, rng: random.Random) -> None:
    size = _trunk(spec, x, y, rng)
    needles = [0.72 * part for part in _leaves(rng)]
    for level in range(4):
        wide, z = (0.95 - 0.22 * level) * size, (0.9 + 0.55 * level) * size
        _block(spec, "ellipsoid", pos=[x, y, z], size=[wide, wide, 0.42 * size], rgb=needles)
        _block(
            spec,
            "ellipsoid",
            pos=[x, y, z + 0.2 * size],
            size=[0.74 * wide, 0.74 * wide, 0.25 * size],
            rgb=[0.9, 0.93, 0.97],
        )


def _trunk(spec: Any, x: float, y: float, rng: random.Random) -> float:
    """A trunk; returns how large the tree is."""
    size = rng.uniform(0.8, 1.25)
    _block(spec, "cylinder", pos=[x, y, 0.7 * size], size=[0.13 * size, 0.7 * size], rgb=(0.36, 0.25, 0.16))
    return size


def _leaves(rng: random.Random) -> list[float]:
    return [0.2 + 0.12 * rng.random(), 0.44 + 0.16 * rng.random(), 0.2]


def _rock(spec: Any, x: float, y: float, rng: random.Random) -> None:
    shade = rng.uniform(0.45, 0.62)
    half = [rng.uniform(0.5, 1.6), rng.uniform(0.4, 1.1), rng.uniform(0.3, 1.1)]
    tone = [shade, 0.82 * shade, 0.62 * shade]
    _block(spec, "ellipsoid", pos=[x, y, 0.15], size=half, rgb=tone, angle=rng.uniform(0, math.pi))


def _house(spec: Any, x: float, y: float, rng: random.Random) -> None:
    tone = [rng.uniform(0.55, 0.85), rng.uniform(0.5, 0.7), rng.uniform(0.4, 0.6)]
    high, wide, angle = rng.uniform(1.6, 3.4), rng.uniform(1.2, 1.9), rng.uniform(-0.5, 0.5)
    _block(spec, "box", pos=[x, y, high], size=[wide, 0.87 * wide, high], rgb=tone, angle=angle)
    for floor in range(1, int(2 * high)):  # its windows, in bands
        _block(
            spec,
            "box",
            pos=[x, y, floor + 0.1],
            size=[0.8 * wide, 0.88 * wide, 0.28],
            rgb=(0.25, 0.3, 0.4),
            angle=angle,
        )


def _crates(spec: Any, x: float, y: float, rng: random.Random) -> None:
    angle = rng.uniform(0, math.pi)
    for level in range(1 + int(rng.random() * 3)):
        tone = [part * rng.uniform(0.85, 1.1) for part in (0.66, 0.5, 0.3)]
        _block(spec, "box", pos=[x, y, 0.45 + 0.9 * level], size=[0.45] * 3, rgb=tone, angle=angle + 0.3 * level)


def _column(spec: Any, x: float, y: float, rng: random.Random) -> None:
    _block(spec, "cylinder", pos=[x, y, 1.5], size=[0.24, 1.5], rgb=(0.86, 0.85, 0.82))
    for z in (0.1, 3.0):
        _block(spec, "box", pos=[x, y, z], size=[0.36, 0.36, 0.1], rgb=(0.82, 0.81, 0.78))


_STANDS: MappingProxyType[str, Callable[[Any, float, float, random.Random], None]] = MappingProxyType({
    "trees": _tree, "firs": _fir, "rocks": _rock, "houses": _house, "crates": _crates, "columns": _column,
})  # fmt: skip


def _add_gantry(spec: Any, thing: Thing) -> None:
    """Two posts and a beam that carry the pendulum's pivot."""
    assert thing.hinge is not None
    height = thing.hinge.pivot[2]
    half, tone = 0.82 * height, (0.5, 0.44, 0.38)
    _block(spec, "box", pos=[0, 0, height + 0.04], size=[half + 0.05, 0.05, 0.05], rgb=tone)
    for side in (-1, 1):
        _block(spec, "box", pos=[side * half, 0, height / 2], size=[0.05, 0.05, height / 2], rgb=tone)
