"""Painted backgrounds: the named colour dominates, places are told apart, and size does not matter."""

import random

import numpy as np
import pytest

from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import look, parallax
from muybridge.worlds.composite import Frame, background_frames

HUES = {"red": 4, "orange": 31, "yellow": 49, "green": 131, "blue": 219, "purple": 269, "pink": 336}


def _paint(name: str, size_px: int = 64, seed: int = 3) -> np.ndarray:
    frame = Frame(width_px=size_px, height_px=size_px)
    view = look("static", np.zeros(1), target=(np.zeros(1), 0.5), sway=0.0)
    return background_frames(BACKGROUNDS[name], view, frame=frame, detail_seed=seed)[0].permute(1, 2, 0).numpy()


def _hue(colour: np.ndarray) -> float:
    red, green, blue = colour / 255
    return float(np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360)


@pytest.mark.parametrize("name", HUES)
def test_a_plain_background_has_the_hue_of_its_name(name):
    for seed in range(5):
        apart = abs(_hue(_paint(name, seed=seed).mean(axis=(0, 1))) - HUES[name])
        assert min(apart, 360 - apart) < 12


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_backgrounds_look_alike_at_every_size(name):
    small, large = _paint(name, 32), _paint(name, 64)
    halved = large.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))
    assert np.abs(small - halved).mean() < 3  # of 255: thin waves and stars


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_colours_stay_in_range(name):
    pixels = _paint(name)
    assert pixels.min() >= 0 and pixels.max() <= 255.5


def test_any_two_backgrounds_differ():
    pictures = {name: _paint(name, 16) for name in BACKGROUNDS}
    for name, picture in pictures.items():
        for other, second in pictures.items():
            assert name == other or np.abs(picture - second).mean() > 15, (name, other)


def test_details_come_from_the_seed():
    assert np.array_equal(_paint("snow", seed=1), _paint("snow", seed=1))
    assert not np.array_equal(_paint("snow", seed=1), _paint("snow", seed=2))


def test_painting_leaves_the_global_random_state_alone():
    random.seed(0)
    before = random.getstate()
    _paint("night")
    assert random.getstate() == before


def test_near_things_move_more_than_far_ones():
    shares = parallax(np.linspace(0, 1.2, 50))
    assert (np.diff(shares) >= 0).all() and shares[0] < 0.7 and abs(parallax(np.array([0.86]))[0] - 1) < 0.02
