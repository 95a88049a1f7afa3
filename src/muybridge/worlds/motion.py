"""How a subject moves through the world: its place, size and turn as functions of the clip's progress.

World units: 1 is the frame's height at rest. x is 0 in the middle of the frame and grows to the right; y is 0 at the
top edge and grows downwards. Progress u runs from 0 to 1 over the clip.
"""

import math
from dataclasses import dataclass

import numpy as np

from muybridge.worlds.subjects import Realm, Subject

MOTIONS: tuple[str, ...] = ("still", "right", "left", "up", "down", "toward", "away", "hop", "circle")
_OF_REALM: dict[Realm, tuple[str, ...]] = {
    "ground": ("still", "right", "left", "toward", "away", "hop"),
    "air": ("still", "right", "left", "up", "down", "toward", "away", "circle"),
    "water": ("still", "right", "left", "up", "down", "toward", "away", "circle"),
}
GROUND_Y = 0.86  # where feet stand: low enough that a tall subject fits, high enough for its shadow
AIR_Y, WATER_Y = 0.45, 0.57  # heights of a flyer's and a swimmer's middle: above the horizon, and in the water
_MARGIN = 0.03  # of the frame's height, kept free of the subject at rest


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where the subject is in each frame, arrays (t,): middle x, feet y, size (of its square), turn in degrees.

    `lift` is how far the feet are above the ground they belong to (its shadow stays below).
    """

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray
    turn_deg: np.ndarray
    lift: np.ndarray


def motions_of(subject: Subject) -> tuple[str, ...]:
    """The motions that suit a subject."""
    return _OF_REALM[subject.realm]


def size_range(motion: str) -> tuple[float, float]:
    """Sizes (of the frame's height) from which a motion leaves room in the frame."""
    ranges = {"right": (0.52, 0.68), "left": (0.52, 0.68), "up": (0.45, 0.56), "down": (0.45, 0.56)}
    ranges |= {"hop": (0.5, 0.62), "circle": (0.45, 0.55), "toward": (0.7, 0.84), "away": (0.7, 0.84)}
    return ranges.get(motion, (0.58, 0.8))


def rest_height(realm: Realm, size: float) -> float:
    """Where the middle of a resting subject's square is."""
    return {"ground": GROUND_Y - size / 2, "air": AIR_Y, "water": WATER_Y}[realm]


def place(
    motion: str, realm: Realm, u: np.ndarray, *, size: float, offset: float, aspect: float, is_followed: bool = False
) -> Placement:
    """The subject's path. `offset` in [-1, 1] shifts it sideways; one that the camera follows goes further."""
    zero = np.zeros_like(u)
    middle_y = rest_height(realm, size)
    rest_y = middle_y + size / 2
    room = max((aspect - size) / 2 - _MARGIN, 0.0)
    x, y, scale, turn, lift = zero + offset * room * 0.6, zero + rest_y, zero + size, zero, zero
    if motion in ("right", "left"):
        reach = max(room, 0.0) + 0.1 * size  # the ends may be cut by a tenth of the subject
        travel = 1.2 if is_followed else 2 * reach * (0.9 + 0.1 * abs(offset))
        x = (-travel / 2 + travel * u) * (1 if motion == "right" else -1)
    elif motion in ("up", "down"):
        top, bottom = size * 0.95 + _MARGIN, 1.0 - _MARGIN + 0.05 * size
        y = bottom + (top - bottom) * (u if motion == "up" else 1 - u)
    elif motion in ("toward", "away"):
        grown = u if motion == "toward" else 1 - u
        scale = size * (0.4 + 0.6 * grown)
        far = 0.68 if realm == "ground" else middle_y + 0.2 * size
        y = far + (rest_y + 0.03 - far) * grown
        x = x * 0.4
    elif motion == "hop":
        lift = (0.96 - size - (1 - GROUND_Y)) * np.abs(np.sin(2 * math.pi * u))
        y = y - lift
    elif motion == "circle":
        around = 2 * math.pi * u
        radius_x, radius_y = min(0.24, room + 0.1 * size), 0.5 - size / 2 - _MARGIN
        x, y = radius_x * np.sin(around), 0.5 + size / 2 - radius_y * np.cos(around)
    return Placement(x=x, y=y, size=scale, turn_deg=turn, lift=lift)
