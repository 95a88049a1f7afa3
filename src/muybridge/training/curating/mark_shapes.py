"""Outlines of logos as polygons in the unit square, and the names of those that training never sees."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

Point = tuple[float, float]
Outline = tuple[Point, ...]

_STEPS = 48  # corners of a curve


def _curve(radius: Callable[[float], float], *, steps: int = _STEPS) -> Outline:
    """A closed curve round the middle, its radius (at most 0.5) a function of the angle from the top."""
    angles = [2 * math.pi * step / steps for step in range(steps)]
    return tuple((0.5 + radius(a) * math.sin(a), 0.5 - radius(a) * math.cos(a)) for a in angles)


def _regular(corners: int) -> Outline:
    return _curve(lambda _: 0.5, steps=corners)


def _star(points: int, inner: float) -> Outline:
    steps = 2 * points
    return _curve(lambda a: 0.5 if round(a / (2 * math.pi) * steps) % 2 == 0 else inner, steps=steps)


def _heart() -> Outline:
    turns = [2 * math.pi * step / _STEPS for step in range(_STEPS)]
    across = [16 * math.sin(a) ** 3 for a in turns]
    up = [13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a) for a in turns]
    return tuple((0.5 + x / 34, 0.45 - y / 34) for x, y in zip(across, up, strict=True))


OUTLINES: Mapping[str, Outline] = MappingProxyType({
    "disc": _regular(_STEPS),
    "square": ((0, 0), (1, 0), (1, 1), (0, 1)),
    "rounded": _curve(lambda a: 0.5 / (abs(math.sin(a)) ** 5 + abs(math.cos(a)) ** 5) ** 0.2),
    "tablet": ((0, 0.2), (1, 0.2), (1, 0.8), (0, 0.8)),
    "slanted": ((0.2, 0.2), (1, 0.2), (0.8, 0.8), (0, 0.8)),
    "diamond": _regular(4),
    "triangle": _regular(3),
    "pentagon": _regular(5),
    "hexagon": _regular(6),
    "star": _star(5, 0.2),
    "shield": ((0.1, 0.05), (0.9, 0.05), (0.9, 0.5), (0.75, 0.8), (0.5, 1), (0.25, 0.8), (0.1, 0.5)),
    "cross": (
        (0.35, 0), (0.65, 0), (0.65, 0.35), (1, 0.35), (1, 0.65), (0.65, 0.65), (0.65, 1), (0.35, 1), (0.35, 0.65),
        (0, 0.65), (0, 0.35), (0.35, 0.35),
    ),
    "petals": _curve(lambda a: 0.35 + 0.15 * math.cos(5 * a)),
    "play": ((0.15, 0.05), (0.95, 0.5), (0.15, 0.95)),
    "house": ((0.5, 0), (1, 0.45), (0.85, 0.45), (0.85, 1), (0.15, 1), (0.15, 0.45), (0, 0.45)),
    "bolt": ((0.6, 0), (0.15, 0.55), (0.45, 0.55), (0.35, 1), (0.85, 0.4), (0.52, 0.4)),
    # never trained on
    "heart": _heart(),
    "octagon": _regular(8),
    "burst": _star(9, 0.34),
    "arrow": ((0, 0.35), (0.55, 0.35), (0.55, 0.1), (1, 0.5), (0.55, 0.9), (0.55, 0.65), (0, 0.65)),
    "gear": _curve(lambda a: 0.5 if math.cos(9 * a) > 0 else 0.4, steps=4 * 9 * 2),
    "leaf": _curve(lambda a: 0.5 * abs(math.cos(a)) ** 0.5 * (1 - 0.35 * abs(math.sin(2 * a)))),
    "chevron": ((0, 0), (0.6, 0), (1, 0.5), (0.6, 1), (0, 1), (0.4, 0.5)),
    "trefoil": _curve(lambda a: 0.32 + 0.18 * math.cos(3 * a)),
})  # fmt: skip
HELD_OUT_OUTLINES = ("heart", "octagon", "burst", "arrow", "gear", "leaf", "chevron", "trefoil")
