"""Laws of the noise levels."""

import math

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.timesteps import default_shift, draw_held, draw_sigmas, inference_sigmas, shift, tokens_shift


def draw(num=20_000, *, seed=0, **options):
    return draw_sigmas(num, generator=torch.Generator().manual_seed(seed), **options)


@pytest.mark.parametrize("s", [0.2, 1.0, 7.0, 17.0, 1e4])
def test_shift_fixes_both_ends(s):
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(shift(ends, s), ends, rtol=0, atol=1e-15)


def test_shifts_compose_by_multiplying():
    sigma = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(shift(shift(sigma, 3.0), 5.0), shift(sigma, 15.0), rtol=0, atol=1e-14)


def test_shift_divides_the_signal_to_noise_ratio():
    sigma = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)
    ratio = (1 - sigma) / sigma
    warped = shift(sigma, 7.0)
    torch.testing.assert_close((1 - warped) / warped, ratio / 7, rtol=1e-12, atol=0)


def test_the_released_grids():
    few = torch.tensor([1000, 988.372, 971.429, 944.444, 894.737, 772.727, 0])
    torch.testing.assert_close(inference_sigmas(6, shift=17.0) * 1000, few, rtol=0, atol=6e-4)
    many = inference_sigmas(50, shift=7.0) * 1000
    torch.testing.assert_close(many[:3], torch.tensor([1000, 997.093, 994.083]), rtol=0, atol=6e-4)
    torch.testing.assert_close(many[-4:], torch.tensor([308.824, 225.806, 125.0, 0]), rtol=0, atol=6e-4)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 6, 7, 49, 50, 1000])
@pytest.mark.parametrize("s", [0.5, 1.0, 7.0, 17.0])
def test_grids_fall_strictly_from_exactly_one_to_exactly_zero(num_steps, s):
    sigmas = inference_sigmas(num_steps, shift=s)
    assert sigmas.shape == (num_steps + 1,) and sigmas.dtype == torch.float32
    assert sigmas[0] == 1 and sigmas[-1] == 0 and bool((sigmas.diff() < 0).all())


def test_few_steps_take_the_larger_shift():
    assert [default_shift(n) for n in (1, 6, 19, 20, 50, 100)] == [17, 17, 17, 7, 7, 7]


def test_logit_normal_draws_have_a_normal_logit():
    logits = torch.logit(draw(mean=0.5, std=2.0).double())
    assert abs(logits.mean() - 0.5) < 0.05 and abs(logits.std() - 2) < 0.05


def test_uniform_draws_are_uniform():
    sigma = draw(method="uniform")
    assert abs(sigma.mean() - 1 / 2) < 0.01 and abs(sigma.var() - 1 / 12) < 0.003


def test_the_mix_reaches_the_ends_a_tenth_as_often_as_the_uniform():
    near = [
        (draw(100_000, method=method, std=0.3) < 0.05).float().mean() for method in ("mix", "uniform", "logit_normal")
    ]
    assert near[2] == 0 and math.isclose(near[0], near[1] / 10, rel_tol=0.2)


@pytest.mark.parametrize("method", ["logit_normal", "uniform", "mix"])
def test_draws_are_a_function_of_the_generator_and_lie_in_range(method):
    sigma = draw(seed=4, method=method, shift=3.0)
    assert torch.equal(sigma, draw(seed=4, method=method, shift=3.0)) and not torch.equal(
        sigma, draw(seed=5, method=method)
    )
    assert sigma.dtype == torch.float32 and bool(((sigma >= 0) & (sigma <= 1)).all())


@pytest.mark.parametrize("method", ["logit_normal", "uniform", "mix"])
def test_the_draw_is_shifted_after(method):
    torch.testing.assert_close(draw(method=method, shift=3.0), shift(draw(method=method), 3.0))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_a_shift_that_is_not_positive_is_refused(bad):
    for refused in (
        lambda: shift(torch.tensor([0.5]), bad),
        lambda: inference_sigmas(5, shift=bad),
        lambda: draw(4, shift=bad),
        lambda: draw(4, std=bad),
    ):
        with pytest.raises(InvalidInput, match="must be a positive number; use"):
            refused()


@pytest.mark.parametrize("bad", [math.nan, -0.1, 1.1])
def test_a_sigma_out_of_range_is_refused(bad):
    with pytest.raises(InvalidInput, match="sigma: noise levels lie in"):
        shift(torch.tensor([0.5, bad]), 7.0)


@pytest.mark.parametrize("bad", [0, -3, 2.5, True])
def test_a_bad_number_of_steps_is_refused(bad):
    for refused in (lambda: inference_sigmas(bad, shift=7.0), lambda: default_shift(bad)):
        with pytest.raises(InvalidInput, match="steps=.*: a run takes"):
            refused()


def test_a_bad_draw_is_refused():
    for options in ({"method": "gaussian"}, {"mean": math.nan}):
        with pytest.raises(InvalidInput):
            draw(4, **options)
    with pytest.raises(InvalidInput, match="num=0"):
        draw(0)


def test_four_times_the_tokens_take_twice_the_shift():
    assert tokens_shift(320, shift=2.0, reference_tokens=80) == 4.0
    assert tokens_shift(80, shift=2.0, reference_tokens=80) == 2.0
    with pytest.raises(InvalidInput, match="at least one token"):
        tokens_shift(0, shift=2.0, reference_tokens=80)


def held(num=4000, num_frames=5, *, share=0.4):
    return draw_held(num, num_frames, generator=torch.Generator().manual_seed(0), share=share)


@pytest.mark.parametrize("num_frames", [2, 3, 5])
def test_some_frame_is_always_left_to_learn(num_frames):
    mask = held(num_frames=num_frames, share=1.0)
    assert bool(mask.any(1).all()) and not bool(mask.all(1).any())


def test_the_asked_share_of_clips_is_held_and_half_of_those_by_their_first_frame():
    mask = held()
    is_held, first_only = mask.any(1), mask[:, 0] & ~mask[:, 1:].any(1)
    assert abs(is_held.float().mean() - 0.4) < 0.03
    assert 0.5 < first_only.sum() / is_held.sum() < 0.66  # prefixes of one frame among them
    assert bool((mask[:, 0] & mask[:, -1]).any()) and bool((~mask[:, 0] & mask[:, -1]).any())


def test_pictures_are_never_held_and_no_share_holds_nothing():
    assert not held(num_frames=1, share=1.0).any() and not held(share=0.0).any()


def test_the_share_changes_neither_the_kinds_nor_the_draws_that_follow():
    first, second = (torch.Generator().manual_seed(0) for _ in range(2))
    some = draw_held(50, 5, generator=first, share=0.3)
    everything = draw_held(50, 5, generator=second, share=1.0)
    assert torch.equal(some[some.any(1)], everything[some.any(1)])
    assert torch.equal(torch.rand(1, generator=first), torch.rand(1, generator=second))
    with pytest.raises(InvalidInput, match="share=1.5"):
        draw_held(2, 5, generator=first, share=1.5)
