"""Sharpness falls with blur, and detail is what it was before a film was enlarged."""

import numpy as np

from muybridge.curation.measures.blur import Blur
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Frames, Picture
from tests.curation.measures.films import clip_of

MIN_KEPT, MAX_LEAK = 0.95, 1.3  # of what these pictures came from; measured 0.97 to 1.25


def detailed(side: int = 192) -> Picture:
    """A spectrum like that of photographs, down to the finest detail."""
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = np.inf
    grey = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) / frequency**1.25, s=(side, side))
    return np.clip(128 + 45 * grey / grey.std(), 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


def measured(frames: Frames) -> dict[str, float]:
    return dict(Blur().measure(clip_of(frames)))  # type: ignore[arg-type]


def test_sharpness_falls_with_every_step_of_blur():
    cv2, picture = opencv(), detailed(64)
    found = [measured(cv2.GaussianBlur(picture, (0, 0), width)[None])["sharpness"] for width in (0.5, 1, 2, 4)]
    assert found == sorted(found, reverse=True) and found[0] > 10 * found[-1]


def test_one_blurred_frame_is_the_worst_and_not_the_middle():
    film = np.repeat(detailed(64)[None], 5, 0)
    film[2] = opencv().GaussianBlur(film[2], (0, 0), 4)
    found = measured(film)
    assert found["blur_worst"] < 0.1 * found["sharpness"]


def test_a_sharp_picture_holds_all_of_its_detail():
    assert measured(detailed()[None])["detail_px"] == 192


def test_an_enlarged_picture_holds_little_more_than_what_it_came_from():
    cv2, sides = opencv(), (32, 48, 64, 96, 128)
    small = [cv2.resize(detailed(), (side, side), interpolation=cv2.INTER_AREA) for side in sides]
    enlarged = [cv2.resize(picture, (192, 192), interpolation=cv2.INTER_CUBIC) for picture in small]
    ratios = [measured(picture[None])["detail_px"] / side for picture, side in zip(enlarged, sides, strict=True)]
    assert MIN_KEPT <= min(ratios) and max(ratios) <= MAX_LEAK


def test_a_blank_picture_is_neither_sharp_nor_an_error():
    found = measured(np.full((1, 32, 32, 3), 90, np.uint8))
    assert found["sharpness"] == 0 and 0 <= found["detail_px"] <= 32
