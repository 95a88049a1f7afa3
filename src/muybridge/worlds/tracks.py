"""How actors of the staged edition move: their way through the world as a function of the clip's progress."""

import math

import numpy as np

from muybridge.worlds.camera import HORIZON_Y
from muybridge.worlds.cards import Track
from muybridge.worlds.lens import EYE_HEIGHT
from muybridge.worlds.motion import AIR_Y
from muybridge.worlds.staging import Actor
from muybridge.worlds.subjects import Subject

SUNK = 0.13  # the share of a swimmer that is under water
_HOVER = EYE_HEIGHT + HORIZON_Y - AIR_Y  # a flyer's middle above the ground
_FAR_Z, _NEAR_Z = 2.3, 0.84  # where those who come or go begin or end


def is_afloat(subject: Subject, background: str) -> bool:
    """Whether a subject swims on the sea; elsewhere, before a plain wall, swimmers hang in the air."""
    return subject.realm == "water" and background == "sea"


def track(actor: Actor, subject: Subject, u: np.ndarray, *, aspect: float, is_floating: bool) -> Track:
    """The actor's way at progress u. Narrow frames (`aspect` below 1) shrink sizes and distances alike."""
    zero, fit = np.zeros_like(u), min(1.0, aspect)
    size = actor.size * fit
    x, z, scale = zero + actor.x * fit * actor.z, zero + actor.z, zero + size
    if subject.realm == "ground":
        height = zero
    elif is_floating:
        height = 0.012 * np.sin(2 * math.pi * (u + actor.phase)) - SUNK * size
    else:
        height = zero + max(_HOVER - size / 2, 0.04)
    motion = actor.motion
    if motion in ("left", "right"):
        screen = size / actor.z
        reach = max((aspect - screen) / 2 + 0.08 * screen, 0.1) * actor.z
        x = reach * (2 * u - 1) * (1 if motion == "right" else -1)
    elif motion in ("toward", "away"):
        near = u if motion == "toward" else 1 - u
        z = _FAR_Z + (_NEAR_Z - _FAR_Z) * near
        x = actor.x * fit * z
    elif motion in ("up", "down"):
        top = EYE_HEIGHT + HORIZON_Y - 0.05 - size
        height = 0.03 + (top - 0.03) * (u if motion == "up" else 1 - u)
    elif motion == "hop":
        height = height + 0.42 * size * np.abs(np.sin(2 * math.pi * (u + 0.5 * actor.phase)))
    elif motion == "circle":
        around = 2 * math.pi * u
        x = x + 0.22 * fit * np.sin(around)
        height = np.maximum(height + 0.16 * np.cos(around) + 0.04, 0.02)
    turn = zero
    if subject.upright_deg and motion in ("up", "down"):
        turn = zero + subject.upright_deg * (-1 if is_mirrored(actor, subject) else 1)
    return Track(x=x, height=height, z=z, size=scale, turn_deg=turn)


def is_mirrored(actor: Actor, subject: Subject) -> bool:
    """Whether the drawing is turned left to right."""
    return subject.facing != "front" and actor.facing != subject.facing
