"""Compositing: pixels land where the path says, mirrored and turned as told."""

import numpy as np
import torch

from muybridge.worlds.composite import Frame, add_shadow, add_sprite
from muybridge.worlds.motion import Placement

FRAME = Frame(width_px=48, height_px=32)
LIGHT = torch.ones(3)


def _path(x: float, y: float, size: float, *, turn_deg: float = 0.0, lift: float = 0.0) -> Placement:
    return Placement(**{name: np.array([value]) for name, value in
                        {"x": x, "y": y, "size": size, "turn_deg": turn_deg, "lift": lift}.items()})  # fmt: skip


def _half_red() -> torch.Tensor:
    """A square drawing, red on the left half and blue on the right, (1, 4, 16, 16)."""
    sprite = torch.zeros(1, 4, 16, 16, dtype=torch.uint8)
    sprite[:, 0, :, :8] = 255
    sprite[:, 2, :, 8:] = 255
    sprite[:, 3] = 255
    return sprite


def _drawn(path: Placement, *, is_mirrored: bool = False) -> np.ndarray:
    film = torch.full((1, 3, 32, 48), 100.0)
    add_sprite(film, _half_red(), path, frame=FRAME, is_mirrored=is_mirrored, light=LIGHT)
    return film[0].permute(1, 2, 0).numpy()


def test_a_drawing_covers_its_square_and_nothing_else():
    picture = _drawn(_path(0.0, 0.75, 0.5))  # 16 px: rows 8-24, columns 16-32
    assert (picture[9:23, 17:23] == (255, 0, 0)).all() and (picture[9:23, 25:31] == (0, 0, 255)).all()
    outside = np.ones((32, 48), bool)
    outside[7:25, 15:33] = False
    assert (picture[outside] == 100).all()


def test_mirroring_swaps_left_and_right():
    plain, mirrored = _drawn(_path(0.0, 0.75, 0.5)), _drawn(_path(0.0, 0.75, 0.5), is_mirrored=True)
    assert np.abs(plain[:, 16:32][:, ::-1] - mirrored[:, 16:32]).max() < 1e-2


def test_a_turn_is_counter_clockwise():
    picture = _drawn(_path(0.0, 0.75, 0.5, turn_deg=90))
    assert picture[20, 24, 0] > 200 and picture[11, 24, 2] > 200  # the left side has turned to the bottom


def test_a_drawing_outside_the_frame_changes_nothing():
    assert (_drawn(_path(5.0, 0.75, 0.5)) == 100).all()


def test_a_shadow_lies_under_the_feet_and_fades_with_height():
    films = []
    for lift in (0.0, 0.3):
        film = torch.full((1, 3, 32, 48), 200.0)
        add_shadow(film, _path(0.0, 0.8 - lift, 0.5, lift=lift), frame=FRAME, half_width=0.4)
        films.append(film[0, 0].numpy())
    standing, flying = films
    row, column = np.unravel_index(standing.argmin(), standing.shape)
    assert abs(row - 0.79 * 32) <= 1 and abs(column - 24) <= 1
    assert standing.min() < flying.min() - 10 and (standing[:10] == 200).all()
