"""The place behind and under the subjects as a moving camera sees it.

A background is painted once, as the resting camera sees it. What is painted below the stage's far edge lies on the
ground, the rest on a backdrop that stands at BACKDROP_Z; every pixel's ray finds its point there and looks it up in the
painting. So near ground passes faster than far hills when the camera slides, and leans when it turns.
"""

import random

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from muybridge.worlds.backgrounds import Background
from muybridge.worlds.camera import HORIZON_Y
from muybridge.worlds.composite import Frame, empty_canvas
from muybridge.worlds.lens import EYE_HEIGHT, Lens

BACKDROP_Z = 3.4  # hills then move at 0.3 of the subject's speed in a pan
_PAINTED_X, _PAINTED_Y = 2.6, (-0.7, 1.7)  # no painting is larger; rays beyond see its edge


def stage_frames(background: Background, lens: Lens, *, frame: Frame, detail_seed: int) -> Float[Tensor, "t 3 h w"]:
    """The empty stage, float32 (1 or t, 3, h, w), 0-255; one frame where the camera is static."""
    rng = random.Random(detail_seed)
    if lens.is_static:
        canvas = empty_canvas(frame.columns, frame.rows, 1 / frame.height_px)
        background.paint(canvas, rng)
        return torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None]
    across, down = painting_points(lens, frame)
    step = 1 / (frame.height_px * float(lens.focal.max()))
    left, right = max(float(across.min()), -_PAINTED_X) - step, min(float(across.max()), _PAINTED_X) + step
    top, bottom = max(float(down.min()), _PAINTED_Y[0]) - step, min(float(down.max()), _PAINTED_Y[1]) + step
    canvas = empty_canvas(np.arange(left, right + step, step), np.arange(top, bottom + step, step), step)
    background.paint(canvas, rng)
    grid = np.empty((*across.shape, 2), np.float32)
    grid[..., 0] = (across - canvas.x[0]) * (2 / (canvas.x[-1] - canvas.x[0])) - 1
    grid[..., 1] = (down - canvas.y[0]) * (2 / (canvas.y[-1] - canvas.y[0])) - 1
    image = torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None].contiguous()
    return grid_sample(
        image.expand(len(grid), -1, -1, -1), torch.from_numpy(grid), align_corners=True, padding_mode="border"
    )


def stage_depth(lens: Lens, frame: Frame) -> np.ndarray:
    """Distance of the empty stage along the camera's forward axis, float32 (t, h, w)."""
    return _depth(lens, lens.rays(frame.columns, frame.rows))


def painting_points(lens: Lens, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Where in the painting each pixel looks: x and y of the resting camera's screen, float32 (t, h, w) each."""
    rays = lens.rays(frame.columns, frame.rows)
    depth = _depth(lens, rays)
    x, y, z = (rays[k] * depth + lens.position[:, k].astype(np.float32)[:, None, None] for k in range(3))
    z = np.maximum(z, 0.05)
    return x / z, HORIZON_Y + (y + EYE_HEIGHT) / z


def _depth(lens: Lens, rays: np.ndarray) -> np.ndarray:
    """Where the rays meet the ground or, first, the backdrop."""
    height = -lens.position[:, 1].astype(np.float32)[:, None, None]
    to_backdrop = (BACKDROP_Z - lens.position[:, 2]).astype(np.float32)[:, None, None] / np.maximum(rays[2], 0.05)
    return np.minimum(to_backdrop, height / np.maximum(rays[1], 1e-4))
