"""Laws of sizes."""

import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media.geometry import fill, fill_box


@pytest.mark.parametrize("source", [(1920, 1080), (1080, 1920), (64, 64), (33, 7)])
@pytest.mark.parametrize("target", [(1280, 720), (128, 128), (544, 960)])
def test_the_box_is_the_largest_centred_one_of_the_target_shape(source, target):
    left, top, right, bottom = fill_box(*source, to_width_px=target[0], to_height_px=target[1])
    assert left + right == pytest.approx(source[0]) and top + bottom == pytest.approx(source[1])
    assert (right - left) / (bottom - top) == pytest.approx(target[0] / target[1])
    assert left == pytest.approx(0) or top == pytest.approx(0)
    assert min(left, top) >= 0


def test_rounding_never_puts_the_box_outside():
    for width in range(20, 500, 7):
        box = fill_box(width, 24, to_width_px=round(width * 90 / 24), to_height_px=90)
        assert min(box) >= 0 and box[2] <= width and box[3] <= 24


def test_the_right_size_is_left_alone():
    frames = np.random.default_rng(0).integers(0, 255, (2, 16, 32, 3), dtype=np.uint8)
    assert np.array_equal(fill(frames, width_px=32, height_px=16), frames)


def test_the_middle_is_kept():
    frames = np.zeros((1, 16, 48, 3), np.uint8)
    frames[:, :, 16:32] = 200
    assert np.all(fill(frames, width_px=16, height_px=16) == 200)


def test_halving_averages():
    frames = np.zeros((2, 64, 64, 3), np.uint8)
    frames[:, ::2] = 200  # stripes of one row: sampling without a filter would keep one of the two colours
    inner = fill(frames, width_px=32, height_px=32)[:, 4:-4]
    assert inner.shape == (2, 24, 32, 3) and np.abs(inner.astype(int) - 100).max() <= 30


def test_sides_below_one_are_refused():
    with pytest.raises(MediaError, match="sides are at least 1 px"):
        fill(np.zeros((1, 4, 4, 3), np.uint8), width_px=0, height_px=4)
