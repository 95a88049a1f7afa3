"""Borders: what is no picture goes, to the pixel, and dark pictures stay."""

import numpy as np
import pytest

from muybridge.curation.measures.borders import Borders, picture_box
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Frames
from tests.curation.measures.films import clip_of, panned, texture


def within(frames: Frames, height: int, width: int, colour: tuple[int, int, int] = (0, 0, 0)) -> Frames:
    """The film in the middle of bars of a colour."""
    whole = np.empty((len(frames), height, width, 3), np.uint8)
    whole[:] = colour
    top, left = (height - frames.shape[1]) // 2, (width - frames.shape[2]) // 2
    whole[:, top : top + frames.shape[1], left : left + frames.shape[2]] = frames
    return whole


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [(64, 64, (0, 12, 64, 52)), (40, 96, (16, 0, 80, 40)), (64, 96, (16, 12, 80, 52))],
    ids=["letterbox", "pillarbox", "windowbox"],
)
@pytest.mark.parametrize("colour", [(0, 0, 0), (16, 16, 16), (20, 40, 120)])
def test_bars_go_to_the_pixel(height: int, width: int, box: tuple[int, ...], colour: tuple[int, int, int]):
    assert picture_box(within(panned(40, 64), height, width, colour)) == box


def test_subtitles_inside_a_bar_do_not_stop_the_crop():
    film = within(panned(40, 64), 72, 64)
    film[2:, 60:66, 16:48] = 255 * (np.indices((6, 32)).sum(0) % 3 > 0)[..., None]
    assert picture_box(film) == (0, 16, 64, 56)


def test_noise_of_coding_in_bars_does_not_stop_the_crop():
    film = within(panned(40, 64), 64, 64)
    noise = np.random.default_rng(0).integers(0, 6, film.shape)
    assert picture_box(np.clip(film + noise, 0, 255).astype(np.uint8)) == (0, 12, 64, 52)


def test_one_column_of_an_odd_width_is_given_up():
    left, top, right, bottom = picture_box(within(panned(40, 63), 40, 96))
    assert (right - left) % 2 == 0 and (top, bottom) == (0, 40)
    assert right - left >= 62


def test_a_dark_scene_is_not_cropped():
    film = np.clip(np.random.default_rng(0).normal(3, 2, (8, 48, 64, 3)), 0, 255).astype(np.uint8)
    film[:, 20:30, 28:40] = texture(10, 12)
    assert picture_box(film) == (0, 0, 64, 48)


def test_a_black_sky_above_hills_is_not_cropped():
    film = panned(48, 64)
    skyline = (14 + 8 * np.sin(np.arange(64) / 8)).astype(int)
    film[:, np.arange(48)[:, None] < skyline] = 0
    assert picture_box(film) == (0, 0, 64, 48)


def test_a_blurred_enlargement_at_the_sides_goes():
    cv2, film = opencv(), panned(144, 80)
    wide = np.stack([cv2.resize(frame, (256, 460))[158:302] for frame in film])
    filled = np.stack([cv2.GaussianBlur(frame, (0, 0), 6) for frame in wide])
    filled[:, :, 88:168] = film
    left, top, right, bottom = picture_box(filled)
    assert (top, bottom) == (0, 144) and abs(left - 88) <= 1 and abs(right - 168) <= 1


def test_a_sharp_ground_beside_a_subject_is_not_cropped():
    assert picture_box(panned(48, 80)) == (0, 0, 80, 48)


def test_the_clip_shows_and_says_what_is_left():
    film = within(panned(40, 64), 64, 64)
    film[:3] = 0
    clip = Borders().process(clip_of(film))
    assert clip.frames.shape == (12, 40, 64, 3) and clip.crop == (0, 12, 64, 52)
    assert clip.values == {"border_share": pytest.approx(24 / 64), "black_share": 0.25}


def test_a_black_film_is_black_and_whole():
    clip = Borders().process(clip_of(np.zeros((4, 32, 32, 3), np.uint8)))
    assert clip.values == {"border_share": 0.0, "black_share": 1.0}
