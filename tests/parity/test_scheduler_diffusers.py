"""Our noise levels against diffusers' scheduler, bit for bit."""

import numpy as np
import pytest
import torch

from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.peer


def peer(num_steps: int, shift: float):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(sigmas=np.linspace(1.0, 0.0, num_steps + 1)[:-1])
    return scheduler


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0, 7.0, 13.0, 17.0])
@pytest.mark.parametrize("num_steps", [1, 2, 6, 7, 10, 19, 30, 49, 50, 100])
def test_inference_sigmas_are_bit_equal_to_the_scheduler(num_steps, shift):
    ours = inference_sigmas(num_steps, shift=shift)
    assert ours.dtype == torch.float32 and torch.equal(ours, peer(num_steps, shift).sigmas)


def test_euler_follows_the_scheduler():
    scheduler, generator = peer(9, 17.0), torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 3, 4, 4, generator=generator)
    theirs = x
    for timestep in scheduler.timesteps:
        theirs = scheduler.step(torch.sin(theirs) + timestep / 1000, timestep, theirs, return_dict=False)[0]
    ours = euler(lambda x, sigma: torch.sin(x) + sigma.view(-1, 1, 1, 1, 1), x, inference_sigmas(9, shift=17.0))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-6)  # float32 rounding of 9 sums of order one
