"""Figures of classifiers agree with counting by hand."""

import pytest
import torch

from muybridge.evaluation.classes import calibration_error, class_f1, confusion, macro_f1


def test_f1_of_each_class_is_two_hits_over_all_mentions():
    truth, named = torch.tensor([0, 0, 1, 1, 2]), torch.tensor([0, 1, 1, 1, 0])
    counts = confusion(named, truth, num_classes=4)
    assert counts.tolist()[:3] == [[1, 1, 0, 0], [0, 2, 0, 0], [1, 0, 0, 0]]
    assert class_f1(counts)[:3].tolist() == pytest.approx([2 / 4, 4 / 5, 0])
    assert macro_f1(named, truth, num_classes=4) == pytest.approx((0.5 + 0.8 + 0) / 3)


def test_confidence_that_says_how_often_it_is_right_has_no_error():
    is_right = torch.tensor([True, True, True, False])
    assert calibration_error(torch.full((4,), 0.75), is_right) == pytest.approx(0, abs=1e-6)
    assert calibration_error(torch.ones(4), is_right) == pytest.approx(0.25)
