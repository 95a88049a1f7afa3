"""Flat cards in the staged world: drawings that stand upright, and the shadows that lie on the ground.

A card is a square texture with a place on the screen in every frame: its middle, half its width to the right and half
its height up, each a vector (t, 2) in screen units.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from muybridge.worlds.composite import Frame
from muybridge.worlds.lens import Lens


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A subject's way through the staged world, arrays (t,): where its feet are, its size, its turn in degrees.

    `height` is that of the feet above the ground.
    """

    x: np.ndarray
    height: np.ndarray
    z: np.ndarray
    size: np.ndarray
    turn_deg: np.ndarray

    def point(self, *, right: np.ndarray | float = 0.0, up: np.ndarray | float = 0.0) -> np.ndarray:
        """World points (t, 3) at an offset from the feet."""
        return np.stack([self.x + right, -(self.height + up), self.z], axis=1)

    def ground(self, *, right: np.ndarray | float = 0.0, away: np.ndarray | float = 0.0) -> np.ndarray:
        """World points (t, 3) on the ground at an offset from under the feet."""
        return np.stack([self.x + right, np.zeros_like(self.x), self.z + away], axis=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """A square on the screen: middle, half width to the right, half height up, each (t, 2)."""

    middle: np.ndarray
    right: np.ndarray
    up: np.ndarray


Window = tuple[slice, slice]  # rows and columns of the picture


def standing_card(track: Track, lens: Lens) -> Card:
    """An upright card that faces the camera; it leans as upright lines do, and turns by the track's own angle."""
    feet, _ = lens.project(track.point())
    head, _ = lens.project(track.point(up=track.size))
    up = (head - feet) / 2
    right = np.stack([-up[:, 1], up[:, 0]], axis=1)
    angle = np.deg2rad(track.turn_deg)[:, None]
    cos, sin = np.cos(angle), np.sin(angle)
    return Card(middle=(feet + head) / 2, right=right * cos + up * sin, up=up * cos - right * sin)


def cast_card(track: Track, lens: Lens, *, fall: tuple[float, float]) -> Card:
    """The card's shadow on the ground: what is 1 high falls `fall` to the right and away."""
    near_x, near_z = track.height * fall[0], track.height * fall[1]
    feet, _ = lens.project(track.ground(right=near_x, away=near_z))
    side, _ = lens.project(track.ground(right=near_x + track.size / 2, away=near_z))
    head, _ = lens.project(track.ground(right=near_x + track.size * fall[0], away=near_z + track.size * fall[1]))
    up = (head - feet) / 2
    return Card(middle=feet + up, right=side - feet, up=up)


def contact_card(track: Track, lens: Lens, *, radius: np.ndarray) -> Card:
    """A round patch of ground under the feet; `radius` (t,) in world units."""
    middle, _ = lens.project(track.ground())
    side, _ = lens.project(track.ground(right=radius))
    away, _ = lens.project(track.ground(away=radius))
    return Card(middle=middle, right=side - middle, up=away - middle)


def window(card: Card, frame: Frame) -> Window | None:
    """The part of the picture that the card touches in any frame, or None when it is never seen."""
    reach = np.abs(card.right) + np.abs(card.up)
    low, high = (card.middle - reach).min(axis=0), (card.middle + reach).max(axis=0)
    edges = []
    for start, stop, extent in (
        (low[1], high[1], frame.height_px),
        (low[0] + frame.aspect / 2, high[0] + frame.aspect / 2, frame.width_px),
    ):
        first = max(int(np.floor(start * frame.height_px)) - 1, 0)
        last = min(int(np.ceil(stop * frame.height_px)) + 1, extent)
        if last <= first:
            return None
        edges.append(slice(first, last))
    return edges[0], edges[1]


def laid(texture: Float[Tensor, "t c s s"], card: Card, *, frame: Frame, part: Window) -> Float[Tensor, "t c h w"]:
    """The texture as the card shows it in `part` of the picture; zero outside the card."""
    rows, columns = part
    half = np.array([columns.stop - columns.start, rows.stop - rows.start]) / 2 / frame.height_px
    middle = np.array([columns.start + columns.stop, rows.start + rows.stop]) / 2 / frame.height_px
    middle[0] -= frame.aspect / 2
    axes = np.stack([card.right, -card.up], axis=2)  # (t, 2, 2): texture x and y on the screen
    inverse = np.linalg.inv(axes + 1e-9 * np.eye(2))
    offset = np.einsum("tij,tj->ti", inverse, middle - card.middle)
    theta = np.concatenate([inverse * half, offset[:, :, None]], axis=2).astype(np.float32)
    size = [len(theta), texture.shape[1], rows.stop - rows.start, columns.stop - columns.start]
    grid = affine_grid(torch.from_numpy(theta), size, align_corners=False)
    return grid_sample(texture.expand(len(theta), -1, -1, -1), grid, align_corners=False, padding_mode="zeros")


def darken(film: Float[Tensor, "t 3 h w"], texture: Float[Tensor, "t 1 s s"], card: Card, *, frame: Frame) -> None:
    """Multiply the film by 1 - texture where the card lies, in place."""
    part = window(card, frame)
    if part is not None:
        film[:, :, part[0], part[1]] *= 1 - laid(texture, card, frame=frame, part=part)


def cover(film: Float[Tensor, "t 3 h w"], texture: Float[Tensor, "t 4 s s"], card: Card, *, frame: Frame) -> None:
    """Blend a premultiplied drawing (0-255, alpha last) over the film, in place."""
    part = window(card, frame)
    if part is not None:
        drawn = laid(texture, card, frame=frame, part=part)
        under = film[:, :, part[0], part[1]]
        under *= 1 - drawn[:, 3:] / 255
        under += drawn[:, :3]


def alpha_mask(alpha: Float[Tensor, "t 1 s s"], card: Card, *, frame: Frame) -> np.ndarray:
    """The share of each pixel that the card covers, float32 (t, h, w), from an alpha in 0-255."""
    mask = np.zeros((len(card.middle), frame.height_px, frame.width_px), np.float32)
    part = window(card, frame)
    if part is not None:
        mask[:, part[0], part[1]] = laid(alpha, card, frame=frame, part=part)[:, 0].numpy() / 255
    return mask
