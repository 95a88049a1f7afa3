import pytest
import torch

from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import NUM_EVALUATIONS, SAMPLERS, euler
from muybridge.flow.timesteps import inference_sigmas

SIGMAS = inference_sigmas(13, shift=3.0).double()


def test_the_weights_of_euler_are_its_steps():
    found = torch.tensor([each.weight for each in evaluations(euler, SIGMAS)], dtype=torch.float64)
    torch.testing.assert_close(found, SIGMAS.diff())


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_run_is_the_weighted_sum_of_its_velocities(name):
    generator = torch.Generator().manual_seed(0)
    run = evaluations(SAMPLERS[name], SIGMAS)
    velocities = torch.randn(len(run), 5, generator=generator, dtype=torch.float64)
    given, asked = iter(velocities.split(1)), []

    def velocity(x, sigma):
        asked.append(float(sigma[0]))
        return next(given)

    moved = SAMPLERS[name](velocity, torch.zeros(1, 5, dtype=torch.float64), SIGMAS)
    weights = torch.tensor([each.weight for each in run], dtype=torch.float64)
    torch.testing.assert_close(moved[0], weights @ velocities)
    assert asked == [each.sigma for each in run]


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_weights_span_the_run(name):
    assert sum(each.weight for each in evaluations(SAMPLERS[name], SIGMAS)) == pytest.approx(-1.0)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_step_asks_as_often_as_the_sampler_says(name):
    steps = [each.step for each in evaluations(SAMPLERS[name], SIGMAS)]
    assert steps == [step for step in range(1, len(SIGMAS)) for _ in range(NUM_EVALUATIONS[name])]
