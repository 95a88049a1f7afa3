"""Laws of blending velocities over time."""

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.blend import blended

X = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))
SIGMA = torch.full((2,), 0.5)
WEIGHTS = torch.tensor([[1.0, 0.75, 0.25, 0.0], [0.0, 0.25, 0.75, 1.0]])


def test_each_frame_is_the_mean_by_its_own_weights():
    found = blended([lambda x, _: x, lambda x, _: 3 * x], WEIGHTS)(X, SIGMA)
    torch.testing.assert_close(found, X * (WEIGHTS[0] + 3 * WEIGHTS[1])[:, None, None])


def test_velocities_that_agree_come_out_as_they_are():
    assert torch.equal(blended([lambda x, _: x.sin()] * 2, WEIGHTS)(X, SIGMA), X.sin())


def test_a_velocity_that_weighs_nothing_is_not_evaluated():
    def forbidden(x, sigma):
        raise AssertionError("evaluated")

    def velocity(x, sigma):
        return 2 * x

    weights = torch.tensor([[1.0] * 4, [0.0] * 4])
    assert blended([velocity, forbidden], weights) is velocity
    assert torch.equal(blended([forbidden, velocity], weights.flip(0))(X, SIGMA), 2 * X)


def test_each_sees_its_own_frames_alone():
    seen: list[tuple[int, tuple[int, ...]]] = []

    def velocity(x, sigma):
        seen.append((x.shape[2], tuple(sigma.shape)))
        return x

    for sigma in (SIGMA, torch.full((2, 4), 0.5)):
        assert torch.equal(blended([velocity, velocity], WEIGHTS)(X, sigma), X)
    assert seen == [(3, (2,)), (3, (2,)), (3, (2, 3)), (3, (2, 3))]


def test_a_window_of_held_frames_is_not_asked_for():
    def forbidden(x, sigma):
        raise AssertionError("evaluated")

    sigma = torch.tensor([[0.0, 0.0, 0.5, 0.5]] * 2)
    weights = torch.tensor([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
    assert torch.equal(blended([forbidden, lambda x, _: x], weights)(X, sigma)[:, :, 2:], X[:, :, 2:])


def test_three_velocities_are_blended_alike_in_any_order():
    weights = torch.tensor([[0.5, 0.0, 0.2, 1.0], [0.25, 0.6, 0.3, 0.0], [0.25, 0.4, 0.5, 0.0]])
    velocities = [lambda x, _, k=k: x * k for k in (1.0, -2.0, 5.0)]
    one = blended(velocities, weights)(X, SIGMA)
    torch.testing.assert_close(one, blended(velocities[::-1], weights.flip(0))(X, SIGMA))


@pytest.mark.parametrize("weights", [torch.ones(1, 4), torch.ones(2, 4), torch.tensor([[2.0], [-1.0]])])
def test_weights_that_are_no_shares_are_refused(weights):
    with pytest.raises(InvalidInput, match="sum up to 1"):
        blended([lambda x, _: x] * 2, weights)


def test_all_are_evaluated_at_level_0_where_none_is_left_to_make():
    weights = torch.tensor([[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]])
    velocity = blended([lambda x, _: torch.ones_like(x)] * 2, weights)
    for level in (torch.zeros(1), torch.zeros(1, 3)):
        assert torch.equal(velocity(torch.randn(1, 2, 3, 1, 1), level), torch.ones(1, 2, 3, 1, 1))
