"""Places that change from step to step."""

import pytest

from muybridge.flow.timesteps import inference_sigmas
from muybridge.flow.wander import wander


@pytest.mark.parametrize("num_places", [4, 5, 8, 32])
def test_places_come_up_evenly_after_any_number_of_steps(num_places):
    """Of 64 steps, the first n each: no place more than twice above its share."""
    sigmas = inference_sigmas(64, shift=7.0)
    place = wander(num_places, sigmas=sigmas)
    places = [place(float(sigma)) for sigma in sigmas[:-1]]
    assert set(places) == set(range(num_places))
    for steps in range(1, 65):
        counts = [places[:steps].count(each) for each in range(num_places)]
        assert max(counts) <= steps / num_places + 2


def test_between_two_steps_the_nearer_one_counts():
    sigmas = inference_sigmas(4, shift=1.0)  # 1, 0.75, 0.5, 0.25, 0
    place = wander(8, sigmas=sigmas)
    assert [place(sigma) for sigma in (1.0, 0.9, 0.8, 0.75, 0.3)] == [0, 0, 4, 4, 6]
