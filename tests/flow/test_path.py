"""Laws of the path: conversions round-trip, and the paper's symbols map as the table says."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.path import data_from_velocity, expand_sigma, interpolate, noise_from_velocity, velocity

EXACT = 1e-12  # float64: a few rounding errors of values of order one
SHAPE = (3, 2, 4, 5, 6)


def pair():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, *SHAPE, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3,), (3, 4)])
def test_conversions_round_trip_in_float64(shape):
    data, noise = pair()
    sigma = torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    x, v = interpolate(data, noise, sigma), velocity(data, noise)
    assert (data_from_velocity(x, v, sigma) - data).abs().max() < EXACT
    assert (noise_from_velocity(x, v, sigma) - noise).abs().max() < EXACT


def test_the_ends_of_the_path_are_exact():
    data, noise = pair()
    assert torch.equal(interpolate(data, noise, torch.zeros(3)), data)
    assert torch.equal(interpolate(data, noise, torch.ones(3)), noise)


def test_velocity_is_the_derivative_of_the_path():
    data, noise = pair()
    sigma = torch.full((3,), 0.3, dtype=torch.float64)
    slope = (interpolate(data, noise, sigma + 0.25) - interpolate(data, noise, sigma)) / 0.25
    assert (slope - velocity(data, noise)).abs().max() < EXACT


def test_the_papers_convention_is_time_reversed():
    data, noise = pair()
    t = torch.full((3,), 0.8, dtype=torch.float64)
    x_t = 0.8 * data + 0.2 * noise  # x_1 is data, x_0 is noise, u = x_1 - x_0
    assert (interpolate(data, noise, 1 - t) - x_t).abs().max() < EXACT
    assert torch.equal(velocity(data, noise), -(data - noise))


def test_a_sigma_per_frame_moves_only_its_frame():
    data, noise = pair()
    sigma = torch.tensor([[0.0, 1.0, 0.0, 0.0]] * 3, dtype=torch.float64)
    x = interpolate(data, noise, sigma)
    assert torch.equal(x[:, :, 1], noise[:, :, 1]) and torch.equal(x[:, :, [0, 2, 3]], data[:, :, [0, 2, 3]])


def test_equal_entries_per_frame_are_one_sigma_per_sample():
    data, noise = pair()
    sigma = torch.rand(3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    assert torch.equal(interpolate(data, noise, sigma), interpolate(data, noise, sigma[:, None].expand(3, 4)))


@pytest.mark.wrong_shapes
@pytest.mark.parametrize("shape", [(), (2,), (3, 5), (3, 4, 1)])
def test_a_sigma_of_the_wrong_shape_is_refused(shape):
    with pytest.raises(InvalidInput, match="sigma of shape .*: must be .*; give"):
        expand_sigma(torch.zeros(shape), pair()[0])
