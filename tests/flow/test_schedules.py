"""Laws of scales over a run."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some

from muybridge.core.errors import InvalidInput
from muybridge.flow.schedules import Schedule
from muybridge.flow.timesteps import inference_sigmas

GRID = inference_sigmas(10, shift=3.0)
SCALES = some.floats(0, 1e6, allow_nan=False)
LEVELS = some.none() | some.tuples(some.floats(0, 0.5), some.floats(0.500001, 1))
STEPS = some.none() | some.integers(1, 90).flatmap(
    lambda first: some.tuples(some.just(first), some.none() | some.integers(first, 99))
)


def values(words: str) -> list[float]:
    scale = Schedule.parse(words).over(GRID)
    return [scale(sigma) for sigma in GRID[:-1].tolist()]


@given(SCALES, SCALES, LEVELS, STEPS)
def test_a_schedule_prints_what_it_is_parsed_from(start, end, levels, steps):
    schedule = Schedule(start=start, end=end, levels=levels, steps=None if levels else steps)
    assert Schedule.parse(str(schedule)) == schedule == Schedule.of(schedule.plain)


@pytest.mark.parametrize("words", ["6", "6.0", "6-6", " 6 ", "6.00"])
def test_a_constant_is_its_number(words):
    assert Schedule.parse(words).plain == 6.0 and values(words) == [6.0] * 10


def test_a_line_goes_evenly_over_the_steps_from_end_to_end():
    assert values("1-10") == pytest.approx(list(range(1, 11)), abs=1e-5)


def test_levels_bound_where_a_scale_acts():
    scale = Schedule.parse("6@0.2-0.8").over(GRID)
    assert [scale(sigma) for sigma in (1.0, 0.81, 0.8, 0.5, 0.2, 0.19, 0.0)] == [1, 1, 6, 6, 6, 1, 1]


def test_a_line_within_levels_has_its_ends_at_them():
    scale = Schedule.parse("8-2@0.2-0.8").over(GRID)
    assert scale(0.8) == 8 and scale(0.2) == 2 and 2 < scale(0.5) < 8


@pytest.mark.parametrize(("words", "acting"), [("6#3-5", {3, 4, 5}), ("6#9-", {9, 10}), ("6#1", {1})])
def test_steps_are_counted_from_one(words, acting):
    assert {step for step, value in enumerate(values(words), 1) if value == 6} == acting


def test_a_line_within_steps_has_its_ends_at_them():
    assert values("2-6#3-5") == [1, 1, 2, pytest.approx(4), 6, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    "words", ["", "six", "-1", "6@0.8-0.2", "6@0.2", "6@0-1.5", "6#0-3", "6#5-3", "6@0-1#3", "1e3"]
)
def test_what_means_nothing_is_refused(words):
    with pytest.raises(InvalidInput):
        Schedule.parse(words)


@pytest.mark.parametrize("value", [None, True, [6], float("nan"), float("inf"), -1])
def test_what_is_no_scale_is_refused(value):
    with pytest.raises(InvalidInput):
        Schedule.of(value)


def test_a_step_that_the_sampler_does_not_take_is_refused():
    with pytest.raises(InvalidInput, match=r"cfg 6#3-20 in steps 3-20: the sampler takes 10 steps"):
        Schedule.parse("6#3-20").check_steps_within(10, name="cfg")


def test_half_precision_levels_are_read_as_they_are():
    assert Schedule.parse("6@0.2-0.8").over(GRID.bfloat16())(float(torch.tensor(0.5).bfloat16())) == 6
