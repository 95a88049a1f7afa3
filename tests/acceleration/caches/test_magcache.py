import pytest
import torch

from muybridge.acceleration.caches.magcache import LONGEST, RETAINED, magcache
from muybridge.core.errors import InvalidInput
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas
from tests.transformer.networks import conditions, latents, network

STEPS = 20


@torch.inference_mode()
def _computed(ratio: float, threshold: float) -> list[int]:
    """The evaluations that are computed where every residual is so many times the one before."""
    net, given, seen, found = network(), conditions(), [], []
    with magcache(net, threshold=threshold, ratios=(ratio,) * (STEPS - 1), num_evaluations=STEPS) as gate:
        velocity = gate.around(lambda x, sigma: net(x, sigma, given))

        def counted(x, sigma):
            v = velocity(x, sigma)
            seen.append(gate.num_computed)
            return v

        euler(counted, latents(), inference_sigmas(STEPS, shift=3.0))
    for index, number in enumerate(seen):
        if index == 0 or number > seen[index - 1]:
            found.append(index)
    return found


def test_the_first_fifth_is_computed():
    assert _computed(1.0, 0.5)[: int(RETAINED * STEPS)] == list(range(int(RETAINED * STEPS)))


def test_residuals_that_do_not_change_are_used_as_often_as_allowed():
    found = _computed(1.0, 0.5)
    assert max(b - a for a, b in zip(found, found[1:], strict=False)) == LONGEST + 1


def test_errors_of_shrinking_residuals_add_up():
    """0.9 a step: 0.1 after one, 0.29 after two; the third would pass 0.3."""
    found = _computed(0.9, 0.3)
    assert max(b - a for a, b in zip(found, found[1:], strict=False)) == 3


def test_ratios_of_another_number_of_steps_are_refused():
    with (
        pytest.raises(InvalidInput, match="measure them with as many steps"),
        magcache(network(), threshold=0.1, ratios=(1.0,), num_evaluations=STEPS),
    ):
        pass
