import numpy as np
import pytest
import torch

from muybridge.curation.marks.summary import NUM_PLANES, NUM_SIGNED, summarise

ACROSS, CHANGE, LASTING, STILL = 3, 5, 6, 7
ROUNDING = 2e-3  # what the root makes of the mean's last bit


def moving(num_frames=9, height=48, width=64):
    """Blocks of random colours that slide by three pixels a frame."""
    coarse = np.random.default_rng(0).integers(0, 256, (-(-height // 8), width // 8 + num_frames, 3), dtype=np.uint8)
    wide = np.kron(coarse, np.ones((8, 8, 1), np.uint8))[:height]
    return np.stack([wide[:, 3 * number : 3 * number + width] for number in range(num_frames)])


def test_sides_are_padded_to_the_multiple_and_the_scale_maps_back():
    planes, scale = summarise(moving(height=48, width=64), side_px=128, multiple=32)
    assert planes.shape == (NUM_PLANES, 96, 128) and scale == (2.0, 2.0)
    planes, scale = summarise(moving(height=50, width=64), side_px=128, multiple=32)
    assert planes.shape == (NUM_PLANES, 128, 128) and scale == (2.0, 2.0)
    assert not planes[:, 100:].any()


def test_what_stays_while_the_film_moves_has_lasting_edges_and_no_change():
    film = moving()
    film[:, 20:30, 20:30] = 255
    planes = summarise(film, side_px=64, multiple=16).planes
    edge, apart = planes[LASTING, 20:30, 20], planes[LASTING, 5:15, 40:60]
    assert float(edge.mean()) > 2 * float(apart.mean())
    assert float(planes[CHANGE, 22:28, 22:28].max()) < 0.01 < 0.3 < float(planes[CHANGE, 5:15, 40:60].mean())


def test_a_faint_stroke_that_stays_is_steadier_than_strong_edges_that_leave():
    film = moving().astype(np.float32)
    film[:, 10:40, 30:] += 0.3 * (255 - film[:, 10:40, 30:])
    slope = summarise(film.astype(np.uint8), side_px=64, multiple=16).planes[ACROSS, 10:40]
    assert float(slope[:, 29:31].mean()) > 2 * float(slope[:, 34:60].abs().mean())


def test_only_a_picture_says_that_nothing_can_move():
    assert (summarise(moving(1), side_px=64, multiple=16).planes[STILL] == 1).all()
    assert (summarise(moving(2), side_px=64, multiple=16).planes[STILL] == 0).all()


def test_a_film_of_equal_frames_has_no_change_and_the_picture_as_its_mean():
    film = np.repeat(moving(1), 5, axis=0)
    still, picture = (summarise(frames, side_px=64, multiple=16).planes for frames in (film, film[:1]))
    assert torch.allclose(still[:STILL], picture[:STILL], atol=ROUNDING)


@pytest.mark.parametrize("num_frames", [2, 40])
def test_long_and_short_films_have_planes_within_their_range(num_frames):
    planes = summarise(moving(num_frames), side_px=64, multiple=16).planes
    signed, rest = planes[:NUM_SIGNED], planes[NUM_SIGNED:]
    assert float(signed.abs().max()) <= 0.5 and 0 <= float(rest.min()) <= float(rest.max()) <= 1
