"""Laws of classifier-free guidance."""

import math

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.guidance import classifier_free
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas

X, SIGMA = torch.ones(2, 1, 1, 2, 2), torch.ones(2)


def conditional(x, sigma):
    return 3 * x


def unconditional(x, sigma):
    return x + 1


def test_scale_one_is_the_conditional_and_runs_nothing_else():
    def forbidden(x, sigma):
        raise AssertionError("the unconditional network ran")

    assert torch.equal(classifier_free(conditional, forbidden, 1.0)(X, SIGMA), conditional(X, SIGMA))


def test_scale_zero_is_the_unconditional():
    assert torch.equal(classifier_free(conditional, unconditional, 0.0)(X, SIGMA), unconditional(X, SIGMA))


def test_guidance_extrapolates_from_unconditional_through_conditional():
    assert torch.equal(classifier_free(conditional, unconditional, 5.0)(X, SIGMA), torch.full_like(X, 2 + 5 * (3 - 2)))


def test_equal_velocities_are_left_alone():
    assert torch.equal(classifier_free(conditional, conditional, 7.5)(X, SIGMA), conditional(X, SIGMA))


def test_a_guided_velocity_is_a_velocity():
    end = euler(classifier_free(conditional, unconditional, 2.0), X, inference_sigmas(2, shift=1.0))
    assert end.shape == X.shape


@pytest.mark.parametrize("scale", [math.nan, math.inf, -1.0])
def test_a_scale_that_is_not_a_number_is_refused(scale):
    with pytest.raises(InvalidInput, match="cfg=.*: the guidance scale"):
        classifier_free(conditional, unconditional, scale)
