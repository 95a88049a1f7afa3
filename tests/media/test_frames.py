"""Laws of pixels as numbers."""

import math

import numpy as np
import pytest
import torch

from muybridge.core.errors import MediaError
from muybridge.media.frames import as_frames, from_uint8, to_uint8


def levels():
    return np.arange(256, dtype=np.uint8).repeat(3).reshape(2, 8, 16, 3)


def test_every_level_survives_the_round_trip():
    assert np.array_equal(to_uint8(from_uint8(levels())), levels())


def test_the_ends_of_the_range_are_exact():
    pixels = from_uint8(levels())
    assert pixels.shape == (3, 2, 8, 16) and pixels.dtype == torch.float32
    assert pixels.min() == -1 and pixels.max() == 1


def test_rounding_is_to_the_nearest_level():
    pixels = torch.linspace(-1, 1, 3 * 4 * 8 * 8, dtype=torch.float64).reshape(3, 4, 8, 8)
    error = (from_uint8(to_uint8(pixels)) - pixels).abs().max()
    assert error <= 0.5 / 127.5 + 1e-6


def test_values_beyond_the_range_are_clipped():
    pixels = torch.tensor([-3.0, 3.0, 0.0]).view(3, 1, 1, 1)
    assert to_uint8(pixels).tolist() == [[[[0, 255, 128]]]]


def test_a_tensor_and_an_array_are_the_same_frames():
    assert torch.equal(from_uint8(torch.from_numpy(levels())), from_uint8(levels()))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_pixels_that_are_no_numbers_are_refused(bad):
    pixels = torch.zeros(3, 1, 2, 2)
    pixels[1, 0, 1, 1] = bad
    with pytest.raises(MediaError, match="pixels: hold NaN or infinity; compute in"):
        to_uint8(pixels)


@pytest.mark.parametrize(
    "bad",
    [
        np.zeros((2, 4, 4, 3)),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
    ],
)
def test_frames_of_another_kind_are_refused(bad):
    with pytest.raises(MediaError, match="a film is uint8"):
        as_frames(bad)
