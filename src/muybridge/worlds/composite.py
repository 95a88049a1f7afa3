"""Drawing a scene: the background through the camera, a soft contact shadow, and the subject over both."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from muybridge.worlds.backgrounds import Background
from muybridge.worlds.camera import View, parallax
from muybridge.worlds.canvas import Canvas
from muybridge.worlds.motion import Placement

_SHADOW = 0.42  # darkest part of a contact shadow


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The picture's size in pixels."""

    width_px: int
    height_px: int

    @property
    def aspect(self) -> float:
        """Width in world units (heights of the frame)."""
        return self.width_px / self.height_px

    @property
    def columns(self) -> np.ndarray:
        """Screen x of the pixel centres, (w,), 0 in the middle."""
        return ((np.arange(self.width_px) + 0.5) / self.height_px - self.aspect / 2).astype(np.float32)

    @property
    def rows(self) -> np.ndarray:
        """Screen y of the pixel centres, (h,), 0 at the top edge."""
        return ((np.arange(self.height_px) + 0.5) / self.height_px).astype(np.float32)


def background_frames(
    background: Background, view: View, *, frame: Frame, detail_seed: int
) -> Float[Tensor, "t 3 h w"]:
    """The background as the camera sees it, float32 (1 or t, 3, h, w), 0-255; one frame where the camera is static."""
    rng = random.Random(detail_seed)
    if view.is_static:
        canvas = empty_canvas(frame.columns, frame.rows, 1 / frame.height_px)
        background.paint(canvas, rng)
        return torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None]
    zoom, camera_x, camera_y = (part.astype(np.float32)[:, None] for part in (view.zoom, view.x, view.y))
    world_y = 0.5 + camera_y + (frame.rows[None] - 0.5) / zoom  # (t, h)
    shift = camera_x * parallax(world_y)  # (t, h)
    world_x = shift[:, :, None] + (frame.columns[None] / zoom)[:, None]  # (t, h, w)
    step = 1 / (frame.height_px * float(view.zoom.max()))
    left, right = float(world_x.min()) - step, float(world_x.max()) + step
    top, bottom = float(world_y.min()) - step, float(world_y.max()) + step
    canvas = empty_canvas(np.arange(left, right + step, step), np.arange(top, bottom + step, step), step)
    background.paint(canvas, rng)
    grid = np.empty((*world_x.shape, 2), np.float32)
    grid[..., 0] = (world_x - canvas.x[0]) / (canvas.x[-1] - canvas.x[0]) * 2 - 1
    grid[..., 1] = ((world_y - canvas.y[0]) / (canvas.y[-1] - canvas.y[0]) * 2 - 1)[..., None]
    image = torch.from_numpy(canvas.pixels).permute(2, 0, 1)[None].contiguous()
    return grid_sample(
        image.expand(len(grid), -1, -1, -1), torch.from_numpy(grid), align_corners=True, padding_mode="border"
    )


def empty_canvas(x: np.ndarray, y: np.ndarray, step: float) -> Canvas:
    """A black canvas with these columns and rows."""
    pixels = np.zeros((len(y), len(x), 3), np.float32)
    return Canvas(x=x.astype(np.float32), y=y.astype(np.float32), step=step, pixels=pixels)


def on_screen(placement: Placement, view: View) -> Placement:
    """The same path as the camera sees it, in screen units."""
    return Placement(
        x=(placement.x - view.x) * view.zoom,
        y=0.5 + (placement.y - 0.5 - view.y) * view.zoom,
        size=placement.size * view.zoom,
        turn_deg=placement.turn_deg,
        lift=placement.lift * view.zoom,
    )


def add_shadow(film: Float[Tensor, "t 3 h w"], path: Placement, *, frame: Frame, half_width: float) -> None:
    """Darken the ground under the feet, in place. `half_width` is the subject's, of its size."""
    ground = path.y + path.lift
    fade = 1 / (1 + 5 * path.lift / path.size)
    across = (frame.columns[None] - path.x[:, None]) / (1.15 * half_width * path.size * (0.7 + 0.3 * fade))[:, None]
    down = (frame.rows[None] - (ground - 0.012 * path.size)[:, None]) / (0.055 * path.size)[:, None]
    first = max(int((ground.min() - 0.15) * frame.height_px), 0)
    columns, rows = np.exp(-(across**2) * 1.6), np.exp(-(down[:, first:] ** 2))
    dark = (_SHADOW * fade)[:, None, None] * rows[:, :, None] * columns[:, None, :]
    film[:, :, first:] *= torch.from_numpy((1 - dark).astype(np.float32))[:, None]


def add_sprite(
    film: Float[Tensor, "t 3 h w"],
    sprite: UInt8[Tensor, "t 4 s s"],
    path: Placement,
    *,
    frame: Frame,
    is_mirrored: bool,
    light: Float[Tensor, "3"],
) -> None:
    """Blend a premultiplied drawing over the film, in place.

    `film` is float32 0-255; `sprite` stands on its last row; `light` tints it.
    """
    box = _touched(path, frame)
    if box is None:
        return
    rows, columns = box
    theta = torch.from_numpy(_screen_to_sprite(path, frame, rows, columns, is_mirrored))
    size = (len(sprite), 4, rows.stop - rows.start, columns.stop - columns.start)
    grid = affine_grid(theta, list(size), align_corners=False)
    warped = grid_sample(sprite.float(), grid, align_corners=False, padding_mode="zeros")
    part = film[:, :, rows, columns]
    part *= 1 - warped[:, 3:] / 255
    part += warped[:, :3] * light[:, None, None]


def _touched(path: Placement, frame: Frame) -> tuple[slice, slice] | None:
    """The rows and columns that the subject touches in any frame, or None when it is never seen."""
    reach = path.size / 2 * (1.42 if path.turn_deg.any() else 1.0)
    centre_y = path.y - path.size / 2
    edges = []
    for low, high, extent in (
        ((centre_y - reach).min(), (centre_y + reach).max(), frame.height_px),
        ((path.x - reach).min() + frame.aspect / 2, (path.x + reach).max() + frame.aspect / 2, frame.width_px),
    ):
        start = max(int(low * frame.height_px) - 1, 0)
        stop = min(int(high * frame.height_px) + 2, extent)
        if stop <= start:
            return None
        edges.append(slice(start, stop))
    return edges[0], edges[1]


def _screen_to_sprite(path: Placement, frame: Frame, rows: slice, columns: slice, is_mirrored: bool) -> np.ndarray:
    """Affine maps (t, 2, 3) from the window's [-1, 1] coordinates to the drawing's."""
    half_w, half_h = (
        (columns.stop - columns.start) / 2 / frame.height_px,
        (rows.stop - rows.start) / 2 / frame.height_px,
    )
    middle_x = (columns.start + columns.stop) / 2 / frame.height_px - frame.aspect / 2
    middle_y = (rows.start + rows.stop) / 2 / frame.height_px
    turn = np.deg2rad(path.turn_deg)
    cos, sin, scale = np.cos(turn), np.sin(turn), 2 / path.size
    from_x, from_y = middle_x - path.x, middle_y - (path.y - path.size / 2)
    sign = -1.0 if is_mirrored else 1.0
    theta = np.empty((len(path.x), 2, 3), np.float32)
    theta[:, 0] = sign * (scale * np.stack([cos * half_w, -sin * half_h, cos * from_x - sin * from_y])).T
    theta[:, 1] = (scale * np.stack([sin * half_w, cos * half_h, sin * from_x + cos * from_y])).T
    return theta
