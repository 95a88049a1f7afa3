"""High dynamic range brought into the ordinary range."""

import numpy as np
import pytest

from muybridge.media.tonemap import tone_map

PQ_WHITE = 0.5807  # ITU-R BT.2408: the PQ signal of 203 cd/m2
HLG_WHITE = 0.75  # ... and of HLG


def grey(signal: float) -> np.ndarray:
    return np.full((1, 1, 3), round(signal * 65535), np.uint16)


@pytest.mark.parametrize(("curve", "white"), [("pq", PQ_WHITE), ("hlg", HLG_WHITE)])
def test_reference_white_and_black_land_where_they_should(curve, white) -> None:
    assert tone_map(grey(0.0), curve=curve).max() == 0
    expected = 255 * (0.75 + 0.25 * (1 - np.exp(-1))) ** (1 / 2.4)
    assert np.abs(tone_map(grey(white), curve=curve) - expected).max() <= 3


@pytest.mark.parametrize("curve", ["pq", "hlg"])
def test_brighter_is_never_darker_and_never_clipped_below_white(curve) -> None:
    ramp = np.repeat(np.arange(0, 65536, 257, dtype=np.uint16)[None, :, None], 3, axis=2)
    mapped = tone_map(ramp, curve=curve)[0, :, 0].astype(int)
    assert (np.diff(mapped) >= 0).all() and mapped[-1] >= 250


def test_grey_stays_grey_and_red_stays_red() -> None:
    mapped = tone_map(grey(0.4), curve="pq")[0, 0].astype(int)
    assert np.ptp(mapped) <= 1
    red = tone_map(np.array([[[38000, 10000, 10000]]], np.uint16), curve="pq")[0, 0]
    assert red[0] > 2 * red[1] and red[0] > 2 * red[2]
