"""Optical flow of a staged clip: where the point that a pixel shows is in the next frame.

Exact for the place, whose shape is known, and for how a subject's drawing is carried, scaled and turned. What a drawing
does within its square, such as a leg that swings, is unknown and not in it; nor are shadows, light and style, which
pass over points that stay where they are.
"""

from dataclasses import dataclass

import numpy as np

from muybridge.worlds.camera import HORIZON_Y
from muybridge.worlds.cards import Card
from muybridge.worlds.composite import Frame
from muybridge.worlds.lens import Lens
from muybridge.worlds.stage import stage_depth
from muybridge.worlds.staged import Performance
from muybridge.worlds.truth import Truth

PLACE = -1  # what shows no subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """Of a clip of t frames.

    `pixels` float32 (t-1, h, w, 2), right and down: what is at p in frame i is at p + pixels[i] in frame i + 1.
    `is_visible` bool (t-1, h, w): it is in the next frame, and nothing hides it there.
    """

    pixels: np.ndarray
    is_visible: np.ndarray


def optical_flow(performance: Performance, truth: Truth) -> Flow:
    """The flow of what `draw_performance` draws, `truth` being what `witness` says of it."""
    lens, frame = performance.lens, performance.frame
    here = np.stack(np.meshgrid(frame.columns, frame.rows), axis=-1)
    there = _place_targets(lens, frame)
    owners = np.full(truth.masks.shape[1:], PLACE)
    for number, performer in enumerate(performance.performers):
        mask = truth.masks[number]
        there = np.where(mask[:-1, ..., None], _card_targets(performer.card, here), there)
        owners[mask] = number
    return Flow(
        pixels=((there - here) * frame.height_px).astype(np.float32), is_visible=_are_visible(there, owners, frame)
    )


def _place_targets(lens: Lens, frame: Frame) -> np.ndarray:
    """Where the next frame shows the place's points, screen units (t-1, h, w, 2)."""
    points = lens.rays(frame.columns, frame.rows) * stage_depth(lens, frame) + lens.position.T[:, :, None, None]
    seen = np.einsum("tji,jthw->ithw", lens.axes[1:], points[:, :-1] - lens.position[1:].T[:, :, None, None])
    scale = lens.focal[1:, None, None] / np.maximum(seen[2], 1e-3)
    return np.stack([scale * seen[0], scale * seen[1] + HORIZON_Y], axis=-1)


def _card_targets(card: Card, here: np.ndarray) -> np.ndarray:
    """Where the next frame shows the points of a card, screen units (t-1, h, w, 2)."""
    axes = np.stack([card.right, -card.up], axis=2)
    moves = axes[1:] @ np.linalg.inv(axes[:-1])
    away = here - card.middle[:-1, None, None]
    return np.einsum("tij,thwj->thwi", moves, away) + card.middle[1:, None, None]


def _are_visible(there: np.ndarray, owners: np.ndarray, frame: Frame) -> np.ndarray:
    """Whether the targets lie in the next frame on what they started from."""
    column = np.floor((there[..., 0] + frame.aspect / 2) * frame.height_px).astype(int)
    row = np.floor(there[..., 1] * frame.height_px).astype(int)
    is_inside = (column >= 0) & (column < frame.width_px) & (row >= 0) & (row < frame.height_px)
    number = np.arange(len(there))[:, None, None] + 1
    found = owners[number, np.where(is_inside, row, 0), np.where(is_inside, column, 0)]
    return is_inside & (found == owners[:-1])
