"""Laws of the samplers: exactness, order, determinism, progress."""

import math

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.flow.samplers import SAMPLERS, ab2, abm2, euler, heun, sampler
from muybridge.flow.timesteps import inference_sigmas

EXACT = 1e-6  # the grid itself is float32
ALL = pytest.mark.parametrize("name", sorted(SAMPLERS))


def start():
    return torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def column(sigma):
    return sigma.view(-1, 1, 1, 1, 1)


def gaussian(x, sigma):
    """The exact velocity when the data are N(mean, spread^2): E[noise - data | x]."""
    mean, spread, s = 0.7, 0.5, column(sigma)
    gain = (s - (1 - s) * spread**2) / ((1 - s) ** 2 * spread**2 + s**2)
    return gain * (x - (1 - s) * mean) - mean


def gaussian_end(noise):
    return 0.7 + 0.5 * noise  # the flow of a Gaussian is the affine map between the two


def error(name, num_steps):
    end = SAMPLERS[name](gaussian, start(), inference_sigmas(num_steps, shift=1.0).double())
    return (end - gaussian_end(start())).abs().max().item()


@ALL
def test_a_constant_field_is_followed_exactly(name):
    field = torch.randn(2, 3, 2, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    end = SAMPLERS[name](lambda x, sigma: field, start(), inference_sigmas(5, shift=7.0))
    assert (end - (start() - field)).abs().max() < EXACT


def test_heun_is_exact_on_a_field_linear_in_sigma():
    end = heun(lambda x, sigma: 1 + 2 * column(sigma) + 0 * x, start(), inference_sigmas(5, shift=7.0))
    assert (end - (start() - 2)).abs().max() < EXACT


def test_ab2_is_exact_on_a_field_linear_in_sigma_after_its_first_step():
    sigmas = inference_sigmas(5, shift=7.0).double()
    end = ab2(lambda x, sigma: 1 + 2 * column(sigma) + 0 * x, start(), sigmas)
    first_step_error = (sigmas[1] - sigmas[0]) ** 2  # Euler's: h^2 / 2 times the slope 2
    assert (end - (start() - 2) + first_step_error).abs().max() < EXACT


def test_abm2_is_exact_on_a_field_linear_in_sigma():
    sigmas = inference_sigmas(5, shift=7.0)
    end = abm2(lambda x, sigma: 1 + 2 * column(sigma) + 0 * x, start(), sigmas)
    assert (end - (start() - 2)).abs().max() < EXACT  # the corrector mends the first step, which was Euler's


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("ab2", 2), ("abm2", 2)])
def test_errors_fall_at_the_order_of_the_sampler(name, order):
    measured = math.log2(error(name, 256) / error(name, 512))
    assert abs(measured - order) < 0.15


def test_second_order_beats_euler_at_equal_evaluations():
    bound = error("euler", 20) / 4
    assert error("ab2", 20) < bound and error("abm2", 20) < bound and error("heun", 10) < bound


def mixture(x, sigma):
    """The exact velocity when the data are a mixture of narrow Gaussians: straight paths that bend towards a mode."""
    modes = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    s, spread = sigma[:, None].clamp(min=1e-4), 0.2
    offset = x[:, None] - (1 - s)[..., None] * modes
    variance = ((1 - s) * spread) ** 2 + s**2
    weights = torch.softmax(-offset.square().sum(-1) / (2 * variance), dim=-1)[..., None]
    data = (weights * (modes + ((1 - s) * spread**2 / variance)[..., None] * offset)).sum(1)
    return (x - data) / s


def test_on_a_mixture_the_corrector_helps_and_both_beat_euler():
    noise = torch.randn(64, 4, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    truth = heun(mixture, noise, inference_sigmas(400, shift=3.0).double())
    sigmas = inference_sigmas(30, shift=3.0).double()
    off = {name: (SAMPLERS[name](mixture, noise, sigmas) - truth).square().mean().sqrt() for name in SAMPLERS}
    assert off["abm2"] < off["ab2"] < off["euler"] / 3  # measured 0.007, 0.014, 0.110 on 512 samples


@ALL
def test_the_state_is_float32_and_the_velocity_may_be_bf16(name):
    seen = []

    def velocity(x, sigma):
        seen.append((x.dtype, sigma.dtype, tuple(sigma.shape)))
        return x.bfloat16()

    end = SAMPLERS[name](velocity, start().bfloat16(), inference_sigmas(3, shift=7.0))
    assert end.dtype == torch.float32 and set(seen) == {(torch.float32, torch.float32, (2,))}


@ALL
def test_a_batch_is_its_samples(name):
    sigmas = inference_sigmas(4, shift=7.0)
    together = SAMPLERS[name](gaussian, start().float(), sigmas)
    alone = [SAMPLERS[name](gaussian, x[None].float(), sigmas) for x in start()]
    assert torch.equal(together, torch.cat(alone))


@ALL
def test_on_step_hears_every_step_and_the_end(name):
    heard = []
    end = SAMPLERS[name](gaussian, start(), inference_sigmas(4, shift=7.0), lambda i, n, x: heard.append((i, n, x)))
    assert [(i, n) for i, n, _ in heard] == [(0, 4), (1, 4), (2, 4), (3, 4)] and heard[-1][2] is end


@ALL
def test_the_start_is_left_alone(name):
    x = start().float()
    kept = x.clone()
    SAMPLERS[name](gaussian, x, inference_sigmas(3, shift=7.0))
    assert torch.equal(x, kept)


def test_evaluations_per_step():
    calls = []

    def count(name):
        calls.clear()
        SAMPLERS[name](lambda x, sigma: calls.append(1) or x, start(), inference_sigmas(5, shift=7.0))
        return len(calls)

    assert {name: count(name) for name in SAMPLERS} == {"euler": 5, "ab2": 5, "abm2": 5, "heun": 10}


@pytest.mark.parametrize(
    "levels", [[1.0], [], [1.0, 1.0, 0.0], [0.0, 1.0], [1.0, math.nan, 0.0], [1.5, 0.0], [1.0, -0.1]]
)
def test_levels_that_do_not_fall_within_range_are_refused(levels):
    with pytest.raises(InvalidInput, match="sigmas="):
        euler(gaussian, start(), torch.tensor(levels))


def test_an_unknown_sampler_names_the_nearest():
    assert sampler("heun") is heun
    with pytest.raises(InvalidInput, match="sampler=huen: the samplers are .*; use heun"):
        sampler("huen")
