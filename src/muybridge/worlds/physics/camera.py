"""The camera in space: the paper's 14 movements (arXiv 2412.03603 3.2), each as poses over a clip.

The paper names the movements without defining them. Here, as in all worlds (`worlds.movements`):
  zoom in/out           the focal length grows or shrinks; the camera stands still
  pan  left/right/up/down   the camera moves sideways or up and down without turning: near things pass far ones
  tilt left/right/up/down   the camera turns that way where it stands: all things move alike
  around left/right     the camera walks around the subject to its own left or right and keeps looking at it
  static, handheld      it stands still; it is held by hand, so that it sways and shakes a little
"""

import math
from dataclasses import dataclass

import numpy as np

from muybridge.core.seeding import mix
from muybridge.worlds.physics.scene import Viewpoint

ZOOM, PAN, TILT, AROUND_DEG = 1.9, 0.5, 0.5, 56.0  # whole movement: factor, heights of the view, of its angle, degrees
_NEAREST_M, _FARTHEST_M, _LOWEST_M = 1.5, 11.0, 0.25
_INSIDE, _INSIDE_PASSING = 0.92, 1.0  # how far from the middle the subject may be, in half frames
_LARGEST = 0.58  # of the frame: nothing fills more of it
_SWAY = (0.016, 0.02)  # of a handheld camera: radians, and shares of its distance


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPath:
    """The camera in each frame: position (t, 3) in metres; axes (t, 3, 3), whose columns are its right, down and
    forward in the world (OpenCV's convention); tan_half (t,), half the view's height at distance 1.
    """

    position: np.ndarray
    axes: np.ndarray
    tan_half: np.ndarray

    def matrices(self) -> np.ndarray:
        """Camera to world, (t, 4, 4)."""
        whole = np.tile(np.eye(4), (len(self.position), 1, 1))
        whole[:, :3, :3], whole[:, :3, 3] = self.axes, self.position
        return whole

    def intrinsics(self, *, width_px: int, height_px: int) -> np.ndarray:
        """Pinhole matrices (t, 3, 3) in pixels; the first pixel's middle is at (0.5, 0.5)."""
        whole = np.tile(np.eye(3), (len(self.position), 1, 1))
        whole[:, 0, 0] = whole[:, 1, 1] = 0.5 * height_px / self.tan_half
        whole[:, 0, 2], whole[:, 1, 2] = 0.5 * width_px, 0.5 * height_px
        return whole

    def cut(self, first: int, last: int) -> "CameraPath":
        """The frames from `first` to before `last`."""
        frames = slice(first, last)
        return CameraPath(position=self.position[frames], axes=self.axes[frames], tan_half=self.tan_half[frames])

    def seen(self, points: np.ndarray) -> np.ndarray:
        """World points (t, ..., 3) as the camera sees them: right, down and depth in metres."""
        spread = (slice(None), *[None] * (points.ndim - 2))
        return np.einsum("t...i,tij->t...j", points - self.position[spread], self.axes)


def shoot(
    viewpoint: Viewpoint, centres: np.ndarray, radii: np.ndarray, *, progress: np.ndarray, aspect: float, seed: int
) -> CameraPath:
    """The camera's path, from as near as lets it keep the spheres around `centres` (t, k, 3) in the frame.

    `progress` (t,) runs from 0 to 1 over the movement; `aspect` is the frame's width over its height.
    """
    low, high = (centres - radii[:, None]).min(axis=(0, 1)), (centres + radii[:, None]).max(axis=(0, 1))
    target = 0.5 * (low + high)
    path = _path(viewpoint, target, _NEAREST_M, progress=progress, seed=seed)
    for distance in np.geomspace(_NEAREST_M, _FARTHEST_M, 48):
        path = _path(viewpoint, target, distance, progress=progress, seed=seed)
        if _holds(path, centres, radii, aspect=aspect, is_passing=viewpoint.camera[:4] in ("pan ", "tilt")):
            break
    return path


def _holds(path: CameraPath, centres: np.ndarray, radii: np.ndarray, *, aspect: float, is_passing: bool) -> bool:
    """True when every sphere stays in the frame, not too large; while a camera passes by, a part may be cut off."""
    x, y, depth = np.moveaxis(path.seen(centres), -1, 0)
    half = path.tan_half[:, None] * np.maximum(depth, 1e-6)
    reach, limit = radii * (0.6 if is_passing else 1.0), _INSIDE_PASSING if is_passing else _INSIDE
    inside = (np.abs(x) + reach <= limit * half * aspect) & (np.abs(y) + reach <= limit * half)
    return bool((inside & (radii <= _LARGEST * half)).all())


def _path(viewpoint: Viewpoint, target: np.ndarray, distance: float, *, progress: np.ndarray, seed: int) -> CameraPath:
    kind, _, way = viewpoint.camera.partition(" ")
    zero, sign = np.zeros_like(progress), 1.0 if way in ("right", "up", "in") else -1.0
    moved = sign * (progress - 0.5)
    azimuth = math.radians(viewpoint.azimuth_deg) + zero
    elevation = math.radians(viewpoint.elevation_deg) + zero
    if kind == "around":
        azimuth = azimuth + math.radians(AROUND_DEG) * moved
    away = np.stack(
        [np.sin(azimuth) * np.cos(elevation), -np.cos(azimuth) * np.cos(elevation), np.sin(elevation)], axis=-1
    )
    position, axes = target + distance * away, _looking(-away)
    tan_half = math.tan(math.radians(viewpoint.fov_deg) / 2) + zero
    if kind == "zoom":
        tan_half = tan_half * ZOOM**-moved
    elif kind == "pan":
        toward = axes[:, :, 0] if way in ("left", "right") else np.array([0.0, 0.0, 1.0])
        position = position + (PAN * 2 * distance * tan_half * moved)[:, None] * toward
    elif kind == "tilt":
        angle = TILT * math.radians(viewpoint.fov_deg) * moved
        axes = _turned(
            axes, yaw=angle if way in ("left", "right") else zero, pitch=zero if way in ("left", "right") else angle
        )
    elif kind == "handheld":
        axes, position = _shaken(axes, position, distance, progress=progress, seed=seed)
    position = position + [0, 0, max(0.0, _LOWEST_M - float(position[:, 2].min()))]
    return CameraPath(position=position, axes=axes, tan_half=tan_half)


def _looking(forward: np.ndarray) -> np.ndarray:
    """Axes (t, 3, 3) of a level camera that looks along unit vectors (t, 3)."""
    x, y, z = np.moveaxis(forward, -1, 0)
    level = np.hypot(x, y)
    right = np.stack([y / level, -x / level, np.zeros_like(x)], axis=-1)
    down = np.stack([x * z / level, y * z / level, -level], axis=-1)
    return np.stack([right, down, forward], axis=-1)


def _turned(axes: np.ndarray, *, yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray | None = None) -> np.ndarray:
    """Axes after the camera turns, in radians: yaw right about the world's vertical, pitch up, roll clockwise."""
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)

    def matrix(rows: list[list[np.ndarray]]) -> np.ndarray:
        return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)

    about_vertical = matrix([[np.cos(yaw), np.sin(yaw), zero], [-np.sin(yaw), np.cos(yaw), zero], [zero, zero, one]])
    about_right = matrix(
        [[one, zero, zero], [zero, np.cos(pitch), -np.sin(pitch)], [zero, np.sin(pitch), np.cos(pitch)]]
    )
    turned = about_vertical @ axes @ about_right
    if roll is None:
        return turned
    return turned @ matrix([[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]])


def _shaken(
    axes: np.ndarray, position: np.ndarray, distance: float, *, progress: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Slow sway and quick shake in all six ways, from a few sines whose phases the seed settles."""
    rng = np.random.default_rng(mix(seed, "handheld"))
    phases, pace = rng.uniform(0, 2 * math.pi, (6, 3)), np.array([1.1, 2.7, 5.9])
    waves = np.sin(2 * math.pi * pace * progress[:, None, None] + phases) @ np.array([0.6, 0.4, 0.25])
    turn, shift = _SWAY[0] * waves[:, :3], _SWAY[1] * distance * waves[:, 3:]
    axes = _turned(axes, yaw=turn[:, 0], pitch=turn[:, 1], roll=0.6 * turn[:, 2])
    return axes, position + shift
