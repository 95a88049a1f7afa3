import pytest
import torch

from muybridge.curation.marks.boxes import areas, distinct, overlaps

BOXES = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [50, 50, 60, 70]])


def test_overlap_is_one_of_a_box_with_itself_and_zero_of_boxes_apart():
    table = overlaps(BOXES[:, None], BOXES[None])
    assert torch.allclose(table.diag(), torch.ones(3))
    assert table[0, 1] == pytest.approx(90 / 110)
    assert table[0, 2] == 0


def test_generalised_overlap_still_falls_with_distance():
    near, far = torch.tensor([12.0, 0, 22, 10]), torch.tensor([90.0, 0, 100, 10])
    first, second = (float(overlaps(BOXES[0], box, is_generalised=True)) for box in (near, far))
    assert -1 < second < first < 0


def test_a_box_turned_inside_out_has_no_area():
    assert areas(torch.tensor([10.0, 0, 0, 10])) == 0


def test_of_boxes_on_one_mark_the_surest_stays():
    assert distinct(BOXES, torch.tensor([0.5, 0.9, 0.1]), max_overlap=0.5).tolist() == [1, 2]
    assert distinct(BOXES[:0], torch.zeros(0), max_overlap=0.5).tolist() == []
