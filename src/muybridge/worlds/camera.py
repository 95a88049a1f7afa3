"""The camera over the flat world: where it looks and how close, frame by frame.

A camera at (x, y) with zoom z shows the world point p at (p - camera) * z from the middle of the frame.
Far things move less than near ones when it pans (`parallax`).
"""

from dataclasses import dataclass

import numpy as np

CAMERAS: tuple[str, ...] = (
    "static", "pan left", "pan right", "tilt up", "tilt down", "zoom in", "zoom out", "follow", "handheld",
)  # fmt: skip
HORIZON_Y = 0.58
FAR = 0.55  # how fast the horizon moves against the subject's ground
_PAN, _TILT, _ZOOM = 0.46, 0.27, (0.9, 1.45)  # of the frame's height; chosen so that the subject stays in the frame


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """The camera in each frame, arrays (t,): offsets from the middle of the world frame, and zoom."""

    x: np.ndarray
    y: np.ndarray
    zoom: np.ndarray

    @property
    def is_static(self) -> bool:
        """True when every frame sees the world at rest."""
        return not self.x.any() and not self.y.any() and bool((self.zoom == 1).all())


def look(camera: str, u: np.ndarray, *, target: tuple[np.ndarray, float], sway: float, aspect: float = 1.0) -> View:
    """The camera's path at progress u; `sway` in [0, 1] is a handheld phase.

    `target` is the subject's x (t,), which `follow` keeps in the middle, and the height on which zooms close in.
    Narrow frames (`aspect` below 1) are panned less far.
    """
    zero = np.zeros_like(u)
    x, y, zoom = zero, zero, zero + 1
    if camera in ("pan left", "pan right"):
        x = _PAN * min(1.0, aspect) * (u - 0.5) * (1 if camera == "pan right" else -1)
    elif camera in ("tilt up", "tilt down"):
        y = _TILT * (u - 0.5) * (1 if camera == "tilt down" else -1)
    elif camera in ("zoom in", "zoom out"):
        near = u if camera == "zoom in" else 1 - u
        zoom = _ZOOM[0] * (_ZOOM[1] / _ZOOM[0]) ** near
        y = (target[1] - 0.5) * (1 - 1 / zoom)
    elif camera == "follow":
        x = target[0].copy()
    elif camera == "handheld":
        x = 0.03 * np.sin(9 * u + 6.3 * sway) + 0.015 * np.sin(23 * u + 2)
        y = 0.025 * np.sin(11 * u + 4 * sway) + 0.012 * np.sin(19 * u + 1)
    return View(x=x, y=y, zoom=zoom)


def parallax(world_y: np.ndarray) -> np.ndarray:
    """The share of a pan that things at height `world_y` show: FAR up to the horizon, 1 at the feet."""
    return FAR + (1 - FAR) * np.clip((world_y - HORIZON_Y - 0.04) / 0.24, 0, 1.3)
