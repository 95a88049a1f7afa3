"""Ground truth of a clip, for evaluation: masks, trajectories, depth order and the camera's path."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_VISIBLE = 0.5  # a pixel belongs to the nearest subject that covers at least half of it


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPath:
    """The camera in each frame: its class, position (t, 3) in world units, angles (t,) in radians, focal length (t,).

    x grows to the right, y downwards, z away from the resting camera; yaw turns right, pitch up, roll clockwise. In the
    flat edition only x, y and the focal length (the zoom) change.
    """

    movement: str
    position: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    focal: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """What is where, for n subjects (the scene's order) in t frames.

    `masks` bool (n, t, h, w): the pixels at which each subject is seen, hidden parts left out. `middles` (n, t, 2): the
    middle of its square, x from the middle of the frame and y from its top, in heights of the frame; `sizes` (n, t) the
    square's side in the same unit. `depths` (n, t): distance along the camera's forward axis. `order`: numbers of the
    subjects from far to near. `depth` float32 (t, h, w): distance of what is seen at each pixel.
    """

    masks: np.ndarray
    middles: np.ndarray
    sizes: np.ndarray
    depths: np.ndarray
    order: tuple[int, ...]
    depth: np.ndarray
    camera: CameraPath

    @property
    def visible_shares(self) -> np.ndarray:
        """The share of the picture that each subject takes, (n, t)."""
        return self.masks.mean(axis=(2, 3))


def seen_masks(covers: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """Masks (n, t, h, w) from the share of each pixel that each subject covers, given the order from far to near."""
    masks = covers >= _VISIBLE
    taken = np.zeros(masks.shape[1:], bool)
    for number in reversed(order):
        masks[number] &= ~taken
        taken |= masks[number]
    return masks
