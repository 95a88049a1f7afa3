"""The shapes of things, and which events suit them.

A shape is given for scale 1 (about a metre across, half of that from the middle) in its natural stance: z is up.
"""

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

EVENTS: tuple[str, ...] = ("static", "drop", "bounce", "roll", "slide", "topple", "collide", "swing", "orbit")
Kind = Literal["sphere", "box", "cylinder", "capsule", "ellipsoid", "mesh"]
_FLAT, _ON_EDGE = (1.0, 0.0, 0.0, 0.0), (math.sqrt(0.5), math.sqrt(0.5), 0.0, 0.0)  # quaternions: as is, axis along y


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """A body's form. `size` as MuJoCo's kind takes it (half sizes); `extent` half its x, y and z.

    `names` are the words for it, the first the most usual; `events` those it can take part in as the subject;
    `rolls` says how it must be turned to roll along x (None: it does not roll).
    """

    names: tuple[str, ...]
    kind: Kind
    size: tuple[float, ...] = ()
    extent: tuple[float, float, float]
    events: frozenset[str] = field(default_factory=frozenset)
    rolls: tuple[float, float, float, float] | None = None


def _events(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ROUND = _events("static drop bounce roll collide swing orbit")
_BLOCK = _events("static drop bounce slide collide swing orbit")

SHAPES: MappingProxyType[str, Shape] = MappingProxyType({
    "ball": Shape(
        names=("ball", "sphere"), kind="sphere", size=(0.5,), extent=(0.5, 0.5, 0.5), events=_ROUND, rolls=_FLAT,
    ),
    "cube": Shape(
        names=("cube", "block"), kind="box", size=(0.42, 0.42, 0.42), extent=(0.42, 0.42, 0.42), events=_BLOCK,
    ),
    "brick": Shape(
        names=("brick", "box"), kind="box", size=(0.6, 0.34, 0.28), extent=(0.6, 0.34, 0.28),
        events=_events("static drop slide collide swing orbit"),
    ),
    "cylinder": Shape(
        names=("cylinder", "drum"), kind="cylinder", size=(0.4, 0.42), extent=(0.4, 0.4, 0.42),
        events=_events("static drop roll slide collide swing orbit"), rolls=_ON_EDGE,
    ),
    "disc": Shape(
        names=("disc", "puck"), kind="cylinder", size=(0.55, 0.15), extent=(0.55, 0.55, 0.15),
        events=_events("static drop roll slide collide orbit"), rolls=_ON_EDGE,
    ),
    "capsule": Shape(
        names=("capsule", "pill"), kind="capsule", size=(0.3, 0.32), extent=(0.3, 0.3, 0.62),
        events=_events("drop bounce roll swing orbit"), rolls=_ON_EDGE,
    ),
    "egg": Shape(
        names=("egg",), kind="ellipsoid", size=(0.4, 0.4, 0.56), extent=(0.4, 0.4, 0.56),
        events=_events("drop bounce swing orbit"),
    ),
    "cone": Shape(
        names=("cone",), kind="mesh", extent=(0.45, 0.45, 0.55),
        events=_events("static drop slide collide swing orbit"),
    ),
    "pyramid": Shape(
        names=("pyramid",), kind="mesh", extent=(0.5, 0.5, 0.45), events=_events("static drop slide swing orbit"),
    ),
    "prism": Shape(
        names=("hexagonal prism", "hexagonal block"), kind="mesh", extent=(0.4, 0.4, 0.45),
        events=_events("static drop slide collide orbit"),
    ),
    "gem": Shape(
        names=("octahedron", "gem"), kind="mesh", extent=(0.5, 0.5, 0.6), events=_events("drop bounce swing orbit"),
    ),
    "ring": Shape(
        names=("ring", "torus"), kind="mesh", extent=(0.56, 0.56, 0.17),
        events=_events("static drop bounce roll slide swing orbit"), rolls=_ON_EDGE,
    ),
    "domino": Shape(
        names=("domino",), kind="box", size=(0.13, 0.34, 0.68), extent=(0.13, 0.34, 0.68),
        events=_events("static topple"),
    ),
    "pillar": Shape(
        names=("pillar", "column"), kind="cylinder", size=(0.2, 0.72), extent=(0.2, 0.2, 0.72),
        events=_events("static topple"),
    ),
    "tower": Shape(
        names=("tower", "tall box"), kind="box", size=(0.22, 0.26, 0.74), extent=(0.22, 0.26, 0.74),
        events=_events("static topple"),
    ),
})  # fmt: skip


def shapes_for(event: str) -> tuple[str, ...]:
    """The shapes that can be the subject of an event."""
    return tuple(name for name, shape in SHAPES.items() if event in shape.events)


def radius(name: str) -> float:
    """The radius on which a shape rolls, at scale 1."""
    return SHAPES[name].extent[0]


def mesh(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Corners (n, 3) and triangles (m, 3, outward) of a mesh shape at scale 1."""
    x, _, z = SHAPES[name].extent
    if name == "ring":
        return _torus(major=x - z, minor=z, around=48, across=20)
    if name == "gem":
        corners = np.array([[x, 0, 0], [0, x, 0], [-x, 0, 0], [0, -x, 0], [0, 0, z], [0, 0, -z]])
        upper = [(k, (k + 1) % 4, 4) for k in range(4)]
        return corners, np.array([*upper, *((b, a, 5) for a, b, _ in upper)])
    sides = {"cone": 48, "pyramid": 4, "prism": 6}[name]
    rim = x / math.cos(math.pi / sides) if name == "pyramid" else x  # a pyramid's extent is that of its square base
    return _frustum(sides=sides, bottom=rim, top=rim if name == "prism" else 0.0, half_height=z)


def _frustum(*, sides: int, bottom: float, top: float, half_height: float) -> tuple[np.ndarray, np.ndarray]:
    """A prism, a pyramid (top 0) or nearly a cone: two rims and the middles of both ends."""
    angle = 2 * math.pi * (np.arange(sides) + 0.5) / sides
    rim = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    low, high = rim * bottom - [0, 0, half_height], rim * top + [0, 0, half_height]
    if top == 0:
        corners = np.concatenate([low, [[0, 0, -half_height], [0, 0, half_height]]])
        base, tip = sides, sides + 1
        faces = [((k + 1) % sides, k, base) for k in range(sides)] + [(k, (k + 1) % sides, tip) for k in range(sides)]
        return corners, np.array(faces)
    corners = np.concatenate([low, high, [[0, 0, -half_height], [0, 0, half_height]]])
    faces = []
    for k in range(sides):
        after = (k + 1) % sides
        faces += [(k, after, sides + after), (k, sides + after, sides + k)]
        faces += [(after, k, 2 * sides), (sides + k, sides + after, 2 * sides + 1)]
    return corners, np.array(faces)


def _torus(*, major: float, minor: float, around: int, across: int) -> tuple[np.ndarray, np.ndarray]:
    u, v = np.meshgrid(
        2 * math.pi * np.arange(around) / around, 2 * math.pi * np.arange(across) / across, indexing="ij"
    )
    reach = major + minor * np.cos(v)
    corners = np.stack([reach * np.cos(u), reach * np.sin(u), minor * np.sin(v)], axis=-1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = i * across + j, (i + 1) % around * across + j
    c, d = (i + 1) % around * across + (j + 1) % across, i * across + (j + 1) % across
    faces = np.concatenate([np.stack([a, b, c], axis=-1).reshape(-1, 3), np.stack([a, c, d], axis=-1).reshape(-1, 3)])
    return corners, faces
