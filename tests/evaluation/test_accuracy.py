"""Shares and their intervals."""

import math

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.evaluation.accuracy import Share, mean_recall, share_right

ASKED = [{"camera": "static"}] * 6 + [{"camera": "pan left"}] * 2
SEEN = [{"camera": "static"}] * 7 + [{"camera": "pan left"}]


def test_the_interval_is_wilsons() -> None:
    low, high = Share(num_right=15, num=20).interval  # tabulated: 0.5313 to 0.8881
    assert low == pytest.approx(0.5313, abs=1e-4) and high == pytest.approx(0.8881, abs=1e-4)


@pytest.mark.parametrize("num_right", [0, 7])
def test_the_interval_stays_within_zero_and_one(num_right: int) -> None:
    low, high = Share(num_right=num_right, num=7).interval
    assert 0 <= low < high <= 1


def test_nothing_counted_is_nothing_known() -> None:
    assert math.isnan(Share(num_right=0, num=0).value) and Share(num_right=0, num=0).interval == (0, 1)
    with pytest.raises(InvalidInput, match="3 of 2"):
        Share(num_right=3, num=2)


def test_rare_values_count_as_much_as_frequent_ones_in_the_mean_recall() -> None:
    assert share_right(ASKED, SEEN, "camera").value == 7 / 8
    assert share_right(ASKED, SEEN, "camera", among=("pan left",)).value == 1 / 2
    assert mean_recall(ASKED, SEEN, "camera") == 3 / 4
