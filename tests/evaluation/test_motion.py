"""Flicker is what movement does not explain; travel follows the foreground."""

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.evaluation.motion import flicker, travel

SIDE, FRAMES = 64, 5


def moving(step_px: int) -> np.ndarray:
    """A textured ball that moves to the right over a plain ground."""
    film = np.full((FRAMES, SIDE, SIDE, 3), 200, np.uint8)
    texture = np.random.default_rng(0).integers(0, 120, (16, 16, 3))
    for number in range(FRAMES):
        left = 4 + step_px * number
        film[number, 24:40, left : left + 16] = texture
    return film


def test_movement_within_reach_is_no_flicker_beside_light_that_comes_and_goes() -> None:
    film = moving(3)
    flickering = film.astype(int)
    flickering[1::2] += 12
    assert flicker(moving(0)) == 0
    assert flicker(film) < 1.0 < 10 < flicker(flickering.clip(0, 255).astype(np.uint8))


def test_more_noise_is_more_flicker() -> None:
    noise = np.random.default_rng(1).normal(size=(FRAMES, SIDE, SIDE, 3))
    levels = [flicker((moving(2) + strength * noise).clip(0, 255).astype(np.uint8)) for strength in (0, 4, 12)]
    assert levels == sorted(levels) and levels[2] > 2 * levels[1] > 0


def test_travel_is_signed_and_in_widths() -> None:
    right, down = travel(moving(6))
    assert abs(right - 24 / SIDE) < 0.02 and abs(down) < 0.02
    assert travel(moving(6)[::-1])[0] == pytest.approx(-right)
    assert travel(moving(6).transpose(0, 2, 1, 3))[1] == pytest.approx(right, abs=0.05)


def test_a_picture_has_no_flicker() -> None:
    with pytest.raises(InvalidInput, match="between frames"):
        flicker(moving(0)[:1])
