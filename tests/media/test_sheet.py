"""Laws of contact sheets."""

import numpy as np
import pytest
from PIL import ImageFont

from muybridge.core.errors import MediaError
from muybridge.media.image import read_image
from muybridge.media.sheet import INK, PAPER, contact_sheet, playing_sheet, spread, wrap


def films(*lengths, height=64, width=96):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (length, height, width, 3), dtype=np.uint8) for length in lengths]


def holds(sheet, frame):
    """True where `frame` stands somewhere on `sheet`, found by its first pixel."""
    height, width = frame.shape[:2]
    for y, x in zip(*np.nonzero((sheet == frame[0, 0]).all(-1)), strict=True):
        if np.array_equal(sheet[y : y + height, x : x + width], frame):
            return True
    return False


@pytest.mark.parametrize("films_per_row", [1, 2, 3, 9])
def test_every_chosen_frame_stands_on_the_sheet_untouched(films_per_row):
    videos = films(9, 5, 1)
    sheet = contact_sheet(videos, labels=["one", "two " * 40, ""], columns=3, films_per_row=films_per_row)
    for video in videos:
        assert all(holds(sheet, video[index]) for index in spread(len(video), 3))


def test_spread_shows_the_first_and_the_last_frame():
    assert spread(33, 5) == [0, 8, 16, 24, 32] and spread(1, 3) == [0, 0, 0]
    assert spread(33, 1) == [16]


def test_captions_are_drawn_and_make_room():
    bare, labelled = (contact_sheet(films(3), labels=labels) for labels in ([], ["a red ball"]))
    assert len(labelled) > len(bare)
    assert (labelled == INK).all(-1).any() and not (bare == INK).all(-1).any()
    assert tuple(labelled[0, 0]) == PAPER


def test_lines_fit_and_lose_nothing():
    font = ImageFont.load_default(size=14)
    text = "a watercolour of a frog " * 5 + "Donaudampfschifffahrtsgesellschaft" * 3
    lines = wrap(text, font=font, width_px=120)
    assert all(font.getlength(line) <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert wrap("", font=font, width_px=120) == ()


def test_a_sheet_is_written_where_asked(tmp_path):
    sheet = contact_sheet(films(5), labels=["x"], path=tmp_path / "sheet.png")
    assert np.array_equal(read_image(tmp_path / "sheet.png"), sheet)


def test_a_playing_sheet_is_a_film_in_which_short_films_rest():
    videos = films(5, 2, height=33)
    sheet = playing_sheet(videos, labels=["long", "short"])
    assert len(sheet) == 5 and sheet.shape[1] % 2 == 0 and sheet.shape[2] % 2 == 0
    assert holds(sheet[4], videos[0][4]) and holds(sheet[1], videos[1][1]) and holds(sheet[4], videos[1][1])


@pytest.mark.parametrize(
    ("videos", "options", "match"),
    [
        ([], {}, "at least one film"),
        (films(2, 2), {"labels": ["one"]}, "1 labels for 2 films"),
        (films(2) + films(2, height=32), {}, "a sheet shows one size"),
        (films(2), {"columns": 0}, "columns=0"),
        (films(2), {"films_per_row": 0}, "films_per_row=0"),
    ],
)
def test_bad_requests_are_refused(videos, options, match):
    with pytest.raises(MediaError, match=match):
        contact_sheet(videos, **options)
