"""Optical flow of staged clips: it brings the next frame back to this one, and carries subjects where they go."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from muybridge.core.errors import InvalidInput
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld, complete_sprites
from muybridge.worlds.staging import Actor, StagedScene

SIZE_PX = 64
CONFIG = replace(complete_sprites(size_px=SIZE_PX, num_frames=9), styles=("3D render",), lights=("noon",))
WORLD = SpritesWorld(CONFIG, drawn_library())


def scene(camera: str = "static", motion: str = "still") -> StagedScene:
    actor = Actor(subject="ball", motion=motion, facing="front", x=0.0, z=1.0, size=0.4, phase=0.0)
    return StagedScene(
        actors=(actor,), relations=(), background="meadow", light="noon", style="3D render", camera=camera, sway=0.3,
        detail_seed=5,
    )  # fmt: skip


def brought_back(film: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Each next frame looked up where the flow points to, (t-1, h, w, 3)."""
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    there = np.stack([columns, rows], axis=-1) + flow
    grid = torch.from_numpy((there + 0.5) * (2 / SIZE_PX) - 1).float()
    pixels = torch.from_numpy(film[1:]).permute(0, 3, 1, 2).float()
    return grid_sample(pixels, grid, align_corners=False, padding_mode="border").permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("camera", [camera for camera in MOVEMENTS if camera != "static"])
def test_the_flow_of_every_camera_brings_the_next_frame_back(camera: str) -> None:
    film, flow = WORLD.render(scene(camera), size_px=SIZE_PX), WORLD.flow(scene(camera), size_px=SIZE_PX)
    place = flow.is_visible & ~WORLD.truth(scene(camera), size_px=SIZE_PX).masks[0, :-1]
    assert place.mean() > 0.4
    now = film[:-1].astype(float)
    left, unmoved = (np.abs(other - now)[place].mean() for other in (brought_back(film, flow.pixels), film[1:]))
    assert left < 0.5 * unmoved


def test_a_place_that_nothing_moves_has_no_flow() -> None:
    flow = WORLD.flow(scene(), size_px=SIZE_PX)
    place = ~WORLD.truth(scene(), size_px=SIZE_PX).masks[0, :-1]
    assert np.abs(flow.pixels[place]).max() < 1e-3 and flow.is_visible[place].mean() > 0.99


def test_a_subject_is_carried_to_where_it_is_next() -> None:
    crossing = scene("pan left", "right")
    flow, truth = WORLD.flow(crossing, size_px=SIZE_PX), WORLD.truth(crossing, size_px=SIZE_PX)
    travelled = np.diff(truth.middles[0], axis=0) * SIZE_PX
    for frame in range(3, 6):  # wholly in the picture
        mask = truth.masks[0, frame]
        rows, columns = np.nonzero(mask)
        middle = truth.middles[0, frame] * SIZE_PX + [SIZE_PX / 2, 0]
        nearest = np.hypot(columns + 0.5 - middle[0], rows + 0.5 - middle[1]).argmin()
        found = flow.pixels[frame, rows[nearest], columns[nearest]]
        assert np.abs(found - travelled[frame]).max() < 0.3 and np.abs(travelled[frame]).max() > 1
        assert flow.is_visible[frame][mask].mean() > 0.8


def test_the_flow_of_a_flat_scene_is_not_known() -> None:
    flat = SpritesWorld(SpritesConfig(), drawn_library())
    with pytest.raises(InvalidInput, match="its flow is not known"):
        flat.flow(flat.scene(0))
