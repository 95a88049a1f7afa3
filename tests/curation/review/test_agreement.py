"""Agreement against values worked out by hand and published ones."""

import math

import numpy as np
import pytest

from muybridge.curation.review.agreement import (
    Judged,
    agreement,
    cohen_kappa,
    counted,
    interval,
    krippendorff_alpha,
    percent_equal,
)
from muybridge.curation.review.votes import Vote


def units(*observers: str) -> Judged:
    return counted([label for label in said if label != "."] for said in zip(*observers, strict=True))


def test_alpha_is_that_of_the_published_examples():
    """Krippendorff, "Computing Krippendorff's alpha-reliability" (2011), sections B and C."""
    assert krippendorff_alpha(units("0100000010", "1110010000")) == pytest.approx(0.095, abs=5e-4)
    four = units("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
    assert krippendorff_alpha(four) == pytest.approx(0.743, abs=5e-4)


def test_kappa_is_that_of_the_hand_worked_table():
    pairs = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    assert cohen_kappa(pairs) == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert percent_equal(pairs) == pytest.approx(0.7)


def test_chance_gives_nothing_and_equal_verdicts_give_one():
    rng = np.random.default_rng(0)
    chance = counted(map(str, pair) for pair in rng.integers(0, 2, (2000, 2)).tolist())
    assert abs(cohen_kappa(chance)) < 0.06 and abs(krippendorff_alpha(chance)) < 0.06
    for same in ({("a", "a"): 3}, {("a", "a"): 1, ("b", "b"): 1}):
        assert cohen_kappa(same) == krippendorff_alpha(same) == percent_equal(same) == 1
    assert math.isnan(krippendorff_alpha({("a",): 1})) and math.isnan(cohen_kappa({}))


def test_the_interval_holds_the_value_and_narrows_with_more_clips():
    few = {("a", "a"): 5, ("a", "b"): 5, ("b", "b"): 10}
    many = {said: 8 * num for said, num in few.items()}
    ends = [interval(krippendorff_alpha, judged, np.random.default_rng(0)) for judged in (few, many)]
    assert all(low < krippendorff_alpha(few) < high for low, high in ends)
    assert ends[1][1] - ends[1][0] < ends[0][1] - ends[0][0]


def test_only_verdicts_that_settle_nothing_are_compared():
    def said(clip: str, verdict: str, *, is_settling: bool = False) -> Vote:
        return Vote(clip=clip, sha256="", verdict=verdict, time=0.0, is_settling=is_settling)  # type: ignore[arg-type]

    votes = {
        "ann": {"a": said("a", "approved"), "b": said("b", "rejected"), "c": said("c", "skipped")},
        "ben": {"a": said("a", "rejected"), "b": said("b", "rejected"), "c": said("c", "approved")},
        "eve": {"a": said("a", "approved", is_settling=True)},
    }
    found = agreement(votes)
    assert found.reviewers == ("ann", "ben") and found.num_clips == 2 and found.disputed == ("a",)
    assert found.percent == 0.5 and found.as_mapping()["kappa"] == 0
    assert agreement({}).as_mapping()["alpha"] is None
