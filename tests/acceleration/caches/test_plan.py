import itertools
import math
import random

import pytest

from muybridge.acceleration.caches.plan import MAX_DISTANCE, Placements

NUM = 9


@pytest.fixture
def cost():
    drawn = random.Random(0)
    table = {(a, b): drawn.random() * (b - a - 1) ** 2 for a in range(NUM) for b in range(a + 1, NUM)}
    return lambda start, end: table[start, end]


def _walk(placements: Placements, num_further: int) -> list[int]:
    path, at = [0], 0
    while at < NUM - 1:
        at = placements.next(at, num_further)
        num_further -= 1
        path.append(at)
    return path


@pytest.mark.parametrize("num_further", range(1, NUM))
def test_no_other_placement_costs_less(cost, num_further):
    placements = Placements(NUM, cost)
    every = ((0, *inner, NUM - 1) for inner in itertools.combinations(range(1, NUM - 1), num_further - 1))
    allowed = [path for path in every if all(b - a <= MAX_DISTANCE for a, b in itertools.pairwise(path))]
    least = min(sum(cost(a, b) for a, b in itertools.pairwise(path)) for path in allowed)
    found = _walk(placements, num_further)
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
    assert _walk(placements, placements.fewest(0, -1.0)) == list(range(NUM))


def test_a_gap_that_costs_infinity_is_never_taken():
    placements = Placements(NUM, lambda start, end: math.inf if start < 4 < end else 1.0)
    assert all(4 in _walk(placements, num) for num in range(2, NUM))


def test_too_few_further_evaluations_are_as_few_as_can_be():
    far = 3 * MAX_DISTANCE + 1
    placements = Placements(far, lambda start, end: 1.0)
    assert placements.next(0, 1) == MAX_DISTANCE
