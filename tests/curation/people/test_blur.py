import numpy as np
import pytest

from muybridge.curation.people.blur import CELLS, CORE, MARGIN_PX, RIM, blurred, hidden
from muybridge.curation.people.tracks import Track


def track(box, *, first=0, num_frames=1):
    return Track(first=first, boxes=np.tile(np.array(box, float), (num_frames, 1)), looks=())


def noise(*shape):
    return np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)


def radius(frames, box):
    """Of each pixel, in half axes of the box and its margin."""
    box = (box[0] - MARGIN_PX, box[1] - MARGIN_PX, box[2] + MARGIN_PX, box[3] + MARGIN_PX)
    rows, columns = np.mgrid[: frames.shape[1], : frames.shape[2]] + 0.5
    x = (columns - (box[0] + box[2]) / 2) / ((box[2] - box[0]) / 2)
    y = (rows - (box[1] + box[3]) / 2) / ((box[3] - box[1]) / 2)
    return np.hypot(x, y)


def test_beyond_the_rim_pixels_stay_bit_by_bit():
    frames, box = noise(1, 64, 80), (30, 20, 50, 46)
    outside = radius(frames, box) >= RIM
    done = blurred(frames, [track(box)])
    assert np.array_equal(done[0][outside], frames[0][outside])
    assert not np.array_equal(done, frames)


def test_within_the_core_nothing_fine_is_left():
    frames, box = noise(1, 64, 80), (20, 10, 60, 54)
    inside = radius(frames, box)[:, 1:] <= CORE - 0.1
    done = blurred(frames, [track(box)])

    def steps(film):
        return np.abs(np.diff(film[0].astype(float), axis=1))[inside].mean()

    assert steps(done) < 0.03 * steps(frames)


def test_a_small_face_is_hidden_by_more_than_its_share():
    assert hidden((10, 10, 14, 16)) == pytest.approx((8.25, 8, 15.75, 18))
    frames = noise(1, 32, 32)
    done = blurred(frames, [track((10, 10, 14, 16))])
    assert (done[0, 9:17, 9:15] != frames[0, 9:17, 9:15]).any(-1).mean() > 0.9


def test_what_was_within_a_cell_cannot_be_told_from_its_mean():
    box = (20, 10, 60, 54)
    frames = np.full((1, 64, 80, 3), 100, np.uint8)
    checked = frames.copy()
    checked[0, ::2, ::2], checked[0, 1::2, 1::2], checked[0, ::2, 1::2], checked[0, 1::2, ::2] = 60, 60, 140, 140
    inside = radius(frames, box) <= CORE
    plain, fine = (blurred(film, [track(box)])[0][inside].astype(int) for film in (frames, checked))
    assert np.abs(plain - fine).max() <= 4
    assert CELLS <= 6


def test_the_frames_given_stay_as_they_are_and_others_are_not_touched():
    frames = noise(5, 32, 32)
    before = frames.copy()
    done = blurred(frames, [track((8, 8, 20, 20), first=1, num_frames=2)])
    assert np.array_equal(frames, before)
    changed = [not np.array_equal(a, b) for a, b in zip(done, frames, strict=True)]
    assert changed == [False, True, True, False, False]


@pytest.mark.parametrize(
    "box",
    [(-8, -9, 9, 8), (25, 26, 40, 44), (-50, 4, -40, 14), (31.9, 10, 60, 30), (-40, -40, 80, 80), (5, 5, 5.2, 5.1)],
)
def test_boxes_at_and_beyond_the_borders_are_blurred_as_far_as_they_are_seen(box):
    frames = noise(1, 32, 32)
    done = blurred(frames, [track(box)])
    inside = radius(frames, box) < CORE
    if inside.sum() > 4:
        assert (done[0][inside] != frames[0][inside]).any(-1).mean() > 0.9
    outside = radius(frames, box) >= RIM
    assert np.array_equal(done[0][outside], frames[0][outside])
