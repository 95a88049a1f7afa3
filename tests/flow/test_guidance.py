"""Laws of classifier-free guidance."""

import math

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.guidance import ClassifierFree, classifier_free, optimal_scale, rescaled
from muybridge.flow.samplers import euler, heun
from muybridge.flow.schedules import Schedule
from muybridge.flow.timesteps import inference_sigmas

X, SIGMA = torch.ones(2, 1, 1, 2, 2), torch.ones(2)
GRID = inference_sigmas(10, shift=3.0)
CLOSE = {"rtol": 1e-12, "atol": 1e-12}  # float64 against a closed form


def conditional(x, sigma):
    return 3 * x


def unconditional(x, sigma):
    return x + 1


def forbidden(x, sigma):
    raise AssertionError("the unconditional network ran")


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


V_C, V_U, DRAWN_X = drawn(1, 2, 3, 2, 4, 4), drawn(2, 2, 3, 2, 4, 4), drawn(3, 2, 3, 2, 4, 4)


def guided(**rule):
    """Of two drawn velocities, at x DRAWN_X and level 0.6."""
    velocity = classifier_free(lambda *_: V_C, lambda *_: V_U, 4.0, **rule)
    return velocity(DRAWN_X, torch.full((2,), 0.6, dtype=torch.float64))


def test_scale_one_is_the_conditional_and_runs_nothing_else():
    assert torch.equal(classifier_free(conditional, forbidden, 1.0)(X, SIGMA), conditional(X, SIGMA))


def test_scale_zero_is_the_unconditional():
    assert torch.equal(classifier_free(conditional, unconditional, 0.0)(X, SIGMA), unconditional(X, SIGMA))


def test_guidance_extrapolates_from_unconditional_through_conditional():
    assert torch.equal(classifier_free(conditional, unconditional, 5.0)(X, SIGMA), torch.full_like(X, 2 + 5 * (3 - 2)))


@pytest.mark.parametrize("rule", [{}, {"rescale": 0.7}, {"is_optimised": True}])
def test_equal_velocities_are_left_alone(rule):
    found = classifier_free(lambda *_: V_C, lambda *_: V_C, 7.5, **rule)(DRAWN_X, torch.full((2,), 0.6))
    torch.testing.assert_close(found, V_C)


def test_a_guided_velocity_is_a_velocity():
    end = euler(classifier_free(conditional, unconditional, 2.0), X, inference_sigmas(2, shift=1.0))
    assert end.shape == X.shape


@pytest.mark.parametrize("scale", [math.nan, math.inf, -1.0])
def test_a_scale_that_is_not_a_number_is_refused(scale):
    with pytest.raises(InvalidInput, match=r"scale .*: a guidance scale"):
        classifier_free(conditional, unconditional, scale)


@pytest.mark.parametrize("sigma", [1.0, 0.81, 0.1])
def test_outside_its_interval_it_is_the_conditional_to_the_bit(sigma):
    scale = Schedule.parse("6@0.2-0.8").over(GRID)
    level = torch.full((2,), sigma)
    assert torch.equal(classifier_free(conditional, forbidden, scale)(X, level), conditional(X, level))


def test_a_constant_schedule_is_its_number_to_the_bit():
    by_number, by_words = (
        euler(ClassifierFree(scale=Schedule.of(scale)).over(GRID).around(conditional, unconditional), X, GRID)
        for scale in (6.0, "6")
    )
    assert torch.equal(by_number, by_words)
    assert torch.equal(by_number, euler(classifier_free(conditional, unconditional, 6.0), X, GRID))


@pytest.mark.parametrize("solve", [euler, heun])
@pytest.mark.parametrize("rule", [{"scale": "6"}, {"scale": "1-6"}, {"scale": "6@0.3-0.8"}, {"scale": "6#2-4"},
                                  {"scale": "6", "zero_steps": 2}, {"scale": "1", "zero_steps": 1}])  # fmt: skip
def test_passes_are_those_that_are_made(solve, rule):
    made: list[float] = []

    def counted(x, sigma):
        made.append(float(sigma[0]))
        return -x

    asked: list[float] = []
    run = ClassifierFree(**{**rule, "scale": Schedule.parse(rule["scale"])}).over(GRID)
    velocity = run.around(counted, counted)
    solve(lambda x, sigma: (asked.append(float(sigma[0])), velocity(x, sigma))[1], X, GRID)
    assert sorted(made) == sorted(sigma for sigma in asked for _ in range(run.num_passes(sigma)))


def test_zero_steps_leave_the_film_as_it_is():
    run = ClassifierFree(scale=Schedule.of(2.0), zero_steps=2).over(GRID)
    states: list[torch.Tensor] = []
    euler(run.around(conditional, unconditional), X, GRID, lambda _i, _n, x: states.append(x))
    assert torch.equal(states[1], X) and not torch.equal(states[2], X)


def test_rescale_nothing_is_no_rescale():
    assert torch.equal(guided(rescale=0.0), guided())


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_rescale_mixes_the_guided_film_with_one_of_the_conditionals_spread(share):
    plain = guided()
    film, wanted = DRAWN_X - 0.6 * plain, DRAWN_X - 0.6 * V_C
    narrow = film * (wanted.std((1, 2, 3, 4), keepdim=True) / film.std((1, 2, 3, 4), keepdim=True))
    found = DRAWN_X - 0.6 * guided(rescale=share)
    torch.testing.assert_close(found, share * narrow + (1 - share) * film, **CLOSE)


def test_rescale_leaves_held_frames_alone():
    """Their level is 0: whatever they are said to do, they are the film already."""
    sigma = torch.tensor([[0.0, 0.6], [0.0, 0.6]], dtype=torch.float64)
    found = rescaled(V_U, V_C, DRAWN_X, sigma=sigma, share=0.7)
    assert torch.equal(found[:, :, 0], V_U[:, :, 0]) and torch.isfinite(found).all()
    assert not torch.equal(found[:, :, 1], V_U[:, :, 1])


def test_the_optimal_scale_leaves_no_part_of_the_conditional_along_the_unconditional():
    scale = optimal_scale(V_C, V_U)
    rest = ((V_C - scale * V_U) * V_U).sum((1, 2, 3, 4))
    torch.testing.assert_close(rest, torch.zeros_like(rest), atol=1e-4, rtol=0)  # sums are float32
    assert scale.shape == (2, 1, 1, 1, 1)


def test_optimised_guidance_starts_from_the_scaled_unconditional():
    scale = (V_C * V_U).sum((1, 2, 3, 4), keepdim=True) / (V_U * V_U).sum((1, 2, 3, 4), keepdim=True)
    torch.testing.assert_close(guided(is_optimised=True), (1 - 4) * scale * V_U + 4 * V_C, atol=1e-5, rtol=1e-5)


def test_an_unconditional_of_zeros_is_no_division_by_zero():
    assert torch.isfinite(optimal_scale(V_C, torch.zeros_like(V_U))).all()


@pytest.mark.parametrize("rule", [{"rescale": 0.7}, {"is_optimised": True}])
def test_a_film_is_guided_alone_as_in_a_batch(rule):
    level = torch.full((2,), 0.6, dtype=torch.float64)
    together = guided(**rule)
    for one in (slice(0, 1), slice(1, 2)):
        velocity = classifier_free(lambda *_, one=one: V_C[one], lambda *_, one=one: V_U[one], 4.0, **rule)
        torch.testing.assert_close(velocity(DRAWN_X[one], level[one]), together[one], **CLOSE)


@pytest.mark.parametrize("rule", [{"rescale": -0.1}, {"rescale": 1.1}, {"zero_steps": -1}, {"rescale": math.nan}])
def test_rules_that_cannot_be_kept_are_refused(rule):
    with pytest.raises(InvalidInput):
        ClassifierFree(scale=Schedule.of(2.0), **rule)


def test_a_run_without_a_step_is_refused():
    with pytest.raises(InvalidInput, match="zero_steps=10 of 10 steps"):
        ClassifierFree(scale=Schedule.of(2.0), zero_steps=10).over(GRID)
