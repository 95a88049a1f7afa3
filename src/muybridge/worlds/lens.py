"""The staged edition's camera: a pinhole that stands somewhere, looks somewhere, and projects the world.

World units: the frame's height at the distance of 1, where the stage is. x grows to the right, y downwards with the
ground at 0, z away from the camera. At rest the camera stands at (0, -EYE_HEIGHT, 0) and sees the horizon at HORIZON_Y,
as a view camera with a shifted lens does, so that upright lines stay upright.
"""

import math
from dataclasses import dataclass

import numpy as np

from muybridge.worlds.camera import HORIZON_Y
from muybridge.worlds.motion import GROUND_Y

EYE_HEIGHT = GROUND_Y - HORIZON_Y  # so that feet at distance 1 stand where the flat edition has them
# How far each movement goes over a clip; chosen so that a subject in the middle stays in the frame.
_SLIDE, _RISE = 0.46, (-0.14, 0.1)
_TURN, _NOD = 0.46, 0.27  # radians
_ORBIT = 0.76  # radians
_ZOOM = (0.88, 1.45)


@dataclass(frozen=True, kw_only=True, slots=True)
class Lens:
    """The camera in each frame: position (t, 3), yaw, pitch and roll (t,) in radians, focal length (t,) in heights.

    Yaw turns right, pitch up, roll clockwise.
    """

    position: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    focal: np.ndarray

    @property
    def is_static(self) -> bool:
        """True when the camera never leaves its place of rest."""
        at_rest = np.array([0.0, -EYE_HEIGHT, 0.0])
        turns = np.stack([self.yaw, self.pitch, self.roll])
        return not turns.any() and bool((self.focal == 1).all()) and bool((self.position == at_rest).all())

    @property
    def axes(self) -> np.ndarray:
        """The camera's right, down and forward directions in the world, as columns (t, 3, 3)."""
        return _about_y(self.yaw) @ _about_x(self.pitch) @ _about_z(self.roll)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World points (t, 3) on the screen, (t, 2): x from the middle, y from the top; and their depth (t,)."""
        seen = np.einsum("tji,tj->ti", self.axes, points - self.position)
        depth = np.maximum(seen[:, 2], 1e-3)
        screen = self.focal[:, None] * seen[:, :2] / depth[:, None]
        return screen + np.array([0.0, HORIZON_Y]), depth

    def rays(self, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """World directions of the pixels, float32 (3, t, h, w), one unit deep along the camera's forward axis."""
        across = (columns[None] / self.focal[:, None]).astype(np.float32)[:, None, :]
        down = ((rows[None] - HORIZON_Y) / self.focal[:, None]).astype(np.float32)[:, :, None]
        axes = self.axes.astype(np.float32)[:, :, :, None, None]
        return np.stack([axes[:, k, 0] * across + axes[:, k, 1] * down + axes[:, k, 2] for k in range(3)])


def moving_lens(camera: str, u: np.ndarray, *, pivot_z: float, sway: float, fit: float = 1.0) -> Lens:
    """The camera's path at progress u for one of the paper's fourteen movements.

    `around` circles the point of the stage at distance `pivot_z`; `sway` in [0, 1] is a handheld phase; sideways
    movements go less far (`fit` below 1) in narrow frames.
    """
    kind, _, way = camera.partition(" ")
    sign = -1.0 if way in ("left", "down", "out") else 1.0
    middle = sign * (u - 0.5)
    zero = np.zeros_like(u)
    x, rise, z, yaw, pitch, roll, focal = zero, zero, zero, zero, zero, zero, zero + 1
    if kind == "zoom":
        focal = _ZOOM[0] * (_ZOOM[1] / _ZOOM[0]) ** (middle + 0.5)
    elif kind == "pan" and way in ("left", "right"):
        x = _SLIDE * fit * middle
    elif kind == "pan":
        rise = _RISE[0] + (_RISE[1] - _RISE[0]) * (middle + 0.5)
    elif kind == "tilt" and way in ("left", "right"):
        yaw = _TURN * fit * middle
    elif kind == "tilt":
        pitch = _NOD * middle
    elif kind == "around":
        yaw = -_ORBIT * middle
        x, z = -pivot_z * np.sin(yaw), pivot_z * (1 - np.cos(yaw))
    elif kind == "handheld":
        phase = 2 * math.pi * sway
        yaw = 0.022 * np.sin(9 * u + phase) + 0.012 * np.sin(23 * u + 2)
        pitch = 0.02 * np.sin(11 * u + 0.7 * phase) + 0.01 * np.sin(19 * u + 1)
        roll = 0.018 * np.sin(7 * u + 1.3 * phase) + 0.008 * np.sin(17 * u)
        x = 0.012 * np.sin(8 * u + phase)
    position = np.stack([x, -EYE_HEIGHT - rise, z], axis=1)
    return Lens(position=position, yaw=yaw, pitch=pitch, roll=roll, focal=focal)


def _about_x(angle: np.ndarray) -> np.ndarray:
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrices([[one, zero, zero], [zero, cos, -sin], [zero, sin, cos]])


def _about_y(angle: np.ndarray) -> np.ndarray:
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrices([[cos, zero, sin], [zero, one, zero], [-sin, zero, cos]])


def _about_z(angle: np.ndarray) -> np.ndarray:
    cos, sin, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    return _matrices([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


def _matrices(rows: list[list[np.ndarray]]) -> np.ndarray:
    """(t, 3, 3) from entries (t,)."""
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
