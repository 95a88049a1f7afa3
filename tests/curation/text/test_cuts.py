"""The best cut takes most text for least picture, within its budget."""

from muybridge.curation.text.cuts import best_cut
from muybridge.curation.text.rows import area

FRAME = (0, 0, 200, 100)


def test_text_goes_with_the_side_it_lies_on() -> None:
    assert best_cut([(50, 88, 150, 96)], frame=FRAME, budget=3000) == (0, 0, 200, 88)
    assert best_cut([(50, 2, 150, 10)], frame=FRAME, budget=3000) == (0, 10, 200, 100)
    assert best_cut([(2, 10, 20, 90)], frame=FRAME, budget=3000) == (20, 0, 200, 100)


def test_sides_are_combined() -> None:
    kept = best_cut([(50, 94, 150, 98), (50, 2, 150, 6)], frame=FRAME, budget=3000)
    assert kept == (0, 6, 200, 94)


def test_nothing_goes_beyond_the_budget() -> None:
    assert best_cut([(50, 40, 150, 60)], frame=FRAME, budget=3000) == FRAME
    kept = best_cut([(50, 40, 150, 60), (50, 90, 150, 95)], frame=FRAME, budget=3000)
    assert kept == (0, 0, 200, 90) and area(FRAME) - area(kept) <= 3000


def test_no_line_is_cut_through() -> None:
    two_lines = [(50, 80, 150, 91), (50, 88, 150, 98)]
    assert best_cut(two_lines, frame=FRAME, budget=2500) == FRAME
    assert best_cut(two_lines, frame=FRAME, budget=4000) == (0, 0, 200, 80)


def test_kept_sides_are_even_where_they_are_cut() -> None:
    assert best_cut([(50, 89, 150, 96)], frame=FRAME, budget=3000) == (0, 0, 200, 88)
    assert best_cut([(50, 2, 150, 11)], frame=FRAME, budget=3000) == (0, 12, 200, 100)
    assert best_cut([], frame=(0, 0, 201, 101), budget=3000) == (0, 0, 201, 101)


def test_boxes_past_the_border_do_no_harm() -> None:
    assert best_cut([(-5, 90, 205, 104)], frame=FRAME, budget=3000) == (0, 0, 200, 90)
