import pytest

from muybridge.acceleration.caches.budget import Budget
from muybridge.core.errors import InvalidInput


@pytest.mark.parametrize(
    ("quality", "speed", "kind", "value"),
    [("psnr>=32", None, "psnr", 32.0), (" psnr>=30.5 ", None, "psnr", 30.5), (None, "2x", "speed", 2.0)],
)
def test_a_budget_is_read_as_it_is_written(quality, speed, kind, value):
    budget = Budget.of(quality=quality, speed=speed)
    assert budget is not None
    assert (budget.kind, budget.value) == (kind, value)
    assert Budget.parse(str(budget)) == budget


def test_no_budget_is_none():
    assert Budget.of() is None


@pytest.mark.parametrize("word", ["psnr>32", "psnr=32", "32", "psnr>=", "psnr>=-3", "psnr>=1e2", "2x", "ssim>=0.9", ""])
def test_other_qualities_are_refused_in_one_line(word):
    with pytest.raises(InvalidInput, match=r"use psnr>=32\.$") as error:
        Budget.of(quality=word)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("word", ["2", "x2", "-2x", "2 x", "psnr>=32", "nanx", "2xx", ""])
def test_other_speeds_are_refused_in_one_line(word):
    with pytest.raises(InvalidInput, match=r"use 2x\.$"):
        Budget.of(speed=word)


@pytest.mark.parametrize(
    "options", [{"quality": "psnr>=90"}, {"quality": "psnr>=3"}, {"speed": "0.5x"}, {"speed": "9x"}]
)
def test_values_beyond_use_name_their_range(options):
    with pytest.raises(InvalidInput, match="must lie from"):
        Budget.of(**options)


def test_quality_and_speed_exclude_each_other():
    with pytest.raises(InvalidInput, match="leave one out"):
        Budget.of(quality="psnr>=32", speed="2x")
