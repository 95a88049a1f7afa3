import itertools
import math
import random

import pytest

from muybridge.acceleration.caches.calibration import calibration_of
from muybridge.acceleration.caches.plan import MAX_DISTANCE, Placements, planned
from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas

NUM = 9


@pytest.fixture
def cost():
    drawn = random.Random(0)
    table = {(a, b): drawn.random() * (b - a - 1) ** 2 for a in range(NUM) for b in range(a + 1, NUM)}
    return lambda start, end: table[start, end]


@pytest.mark.parametrize("num_further", range(1, NUM))
def test_no_other_placement_costs_less(cost, num_further):
    placements = Placements(NUM, cost)
    every = ((0, *inner, NUM - 1) for inner in itertools.combinations(range(1, NUM - 1), num_further - 1))
    allowed = [path for path in every if all(b - a <= MAX_DISTANCE for a, b in itertools.pairwise(path))]
    least = min(sum(cost(a, b) for a, b in itertools.pairwise(path)) for path in allowed)
    found = placements.path(num_further + 1)
    assert len(found) == num_further + 1
    assert sum(cost(a, b) for a, b in itertools.pairwise(found)) == pytest.approx(least)
    assert placements.error(0, num_further) == pytest.approx(least)


def test_the_fewest_are_within_and_one_fewer_is_not(cost):
    placements = Placements(NUM, cost)
    allowed = placements.error(0, 4)
    assert placements.fewest(0, allowed) == 4
    assert placements.error(0, 3) > allowed


def test_nothing_allowed_computes_everything(cost):
    placements = Placements(NUM, cost)
    assert placements.path(placements.fewest(0, -1.0) + 1) == tuple(range(NUM))


def test_a_gap_that_costs_infinity_is_never_taken():
    placements = Placements(NUM, lambda start, end: math.inf if start < 4 < end else 1.0)
    assert all(4 in placements.path(num + 1) for num in range(2, NUM))


def test_too_few_further_evaluations_are_as_few_as_can_be():
    far = 3 * MAX_DISTANCE + 1
    placements = Placements(far, lambda start, end: 1.0)
    assert placements.next(0, 1) == MAX_DISTANCE


def test_planned_gaps_grow_where_a_film_is_decided():
    run = evaluations(euler, inference_sigmas(30, shift=3.0))
    calibration = calibration_of("gallop")
    assert calibration is not None
    found = planned(run, calibration).path(10)
    gaps = [end - start for start, end in itertools.pairwise(found)]
    assert len(found) == 10
    assert gaps[0] == 1
    assert gaps[:6] == sorted(gaps[:6])


def test_a_change_of_the_network_is_computed_on_both_sides():
    run = evaluations(euler, inference_sigmas(30, shift=3.0))
    calibration = calibration_of("gallop")
    assert calibration is not None
    assert {16, 17} <= set(planned(run, calibration, starts=(17,)).path(8))
