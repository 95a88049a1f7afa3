import math

import pytest

from muybridge.evaluation.precision import Detection, average_precision, mean_average_precision
from muybridge.media.geometry import overlap


def at(left, *, picture=0, kind="logo", score=1.0, width=10):
    return Detection(picture=picture, kind=kind, box=(left, 0, left + width, 10), score=score)


def test_overlap_is_shared_area_over_that_of_both():
    assert overlap((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(50 / 150)
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_perfect_boxes_have_precision_one_and_none_zero():
    true = [at(0), at(50), at(0, picture=1)]
    assert average_precision(true, true, kind="logo") == 1
    assert average_precision([], true, kind="logo") == 0


def test_a_false_box_costs_only_what_is_ranked_below_it():
    true = [at(0), at(50)]
    late = [at(0, score=0.9), at(50, score=0.8), at(100, score=0.7)]
    early = [at(0, score=0.9), at(50, score=0.7), at(100, score=0.8)]
    assert average_precision(late, true, kind="logo") == 1
    assert average_precision(early, true, kind="logo") == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_the_second_box_on_one_mark_is_false():
    assert average_precision([at(0, score=0.9), at(1, score=0.8), at(50, score=0.7)], [at(0), at(50)], kind="logo") < 1


def test_boxes_of_other_pictures_or_kinds_do_not_count():
    assert average_precision([at(0, picture=1)], [at(0)], kind="logo") == 0
    assert average_precision([at(0, kind="border")], [at(0)], kind="logo") == 0
    assert math.isnan(average_precision([at(0)], [at(0)], kind="border"))


def test_the_mean_is_over_kinds_that_occur():
    true = [at(0), at(50, kind="border")]
    assert mean_average_precision([at(0)], true) == 0.5
