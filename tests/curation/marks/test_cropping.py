import pytest

from muybridge.curation.marks.cropping import MAX_CROPPED, area, crop_without, is_outside
from muybridge.curation.marks.detect import Mark

WIDTH, HEIGHT = 320, 180
WHOLE = (0, 0, WIDTH, HEIGHT)


def mark(*box, score=0.9, kind="logo"):
    return Mark(kind=kind, score=score, box=box)


def cropped(*marks):
    return crop_without(marks, width_px=WIDTH, height_px=HEIGHT)


def test_nothing_is_cropped_where_there_is_no_mark():
    assert cropped() == WHOLE


@pytest.mark.parametrize("box", [(5, 5, 60, 20), (260, 5, 315, 20), (5, 160, 60, 175), (300, 40, 318, 140)])
def test_a_mark_at_the_edge_is_cut_off_for_little(box):
    found = cropped(mark(*box))
    assert is_outside(mark(*box), found)
    assert area(found) >= (1 - MAX_CROPPED) * area(WHOLE)
    assert (found[2] - found[0]) % 2 == 0 == (found[3] - found[1]) % 2


def test_a_mark_in_the_middle_stays_and_nothing_is_cut():
    assert cropped(mark(120, 60, 200, 120)) == WHOLE


def test_of_two_marks_that_cannot_both_go_the_surer_goes():
    top, left = mark(40, 0, 300, 24, score=0.6), mark(0, 0, 40, 180, score=0.8)
    found = cropped(top, left)
    assert is_outside(left, found) and not is_outside(top, found)


def test_a_frame_round_the_picture_is_cut_off_on_all_sides():
    sides = (0, 0, 320, 6), (0, 174, 320, 180), (0, 0, 6, 180), (314, 0, 320, 180)
    found = cropped(*(mark(*box, kind="border") for box in sides))
    assert found[0] >= 6 and found[1] >= 6 and found[2] <= 314 and found[3] <= 174
