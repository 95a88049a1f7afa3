import math

import pytest
import torch

from muybridge.acceleration.caches.calibration import Calibration, calibration_of, mean_square, psnr_db
from muybridge.acceleration.caches.gaps import EDGE, log_odds
from muybridge.core.errors import WeightsError
from muybridge.flow.evaluations import Evaluation

MADE = Calibration(
    channel_gains=(0.5, 0.25),
    levels=(1.0, 0.5, 0.0),
    roughness=(4.0, 2.0, 1.0),
    exponent=1.0,
    carries=(0.1, 0.2, 0.4),
    growth=0.5,
    spread_db=2.0,
    origin="made up",
)


def _at(sigma: float) -> Evaluation:
    return Evaluation(step=1, sigma=sigma, weight=-0.1)


def test_gains_weigh_channels():
    latents = torch.stack([torch.full((3, 2, 2), 2.0), torch.full((3, 2, 2), 4.0)])
    assert MADE.in_pixels(latents) == pytest.approx(0.5 * 4 + 0.25 * 16)


def _before(end: Evaluation, distance: float) -> Evaluation:
    """The evaluation at so many log-odds more."""
    odds = math.exp(log_odds(end.sigma) + distance)
    return _at((odds * (1 + EDGE) - EDGE) / (1 + odds))


def test_laws_are_powers_of_the_distance():
    end = _at(0.5)
    near, far = _before(end, 0.4), _before(end, 0.8)
    assert MADE.surprise(far, end) == pytest.approx(4 * MADE.surprise(near, end))
    assert MADE.carry(far, end) == pytest.approx(2 * MADE.carry(near, end))


def test_levels_are_interpolated_in_logarithms():
    ends = [_at(sigma) for sigma in (0.9, 0.75, 0.5, 0.25, 0.0)]
    found = [math.sqrt(MADE.surprise(_before(end, 0.1), end)) / 0.1 for end in ends]
    assert found == pytest.approx([4 * 0.5**0.2, 4 * 0.5**0.5, 2.0, math.sqrt(2), 1.0])


def test_psnr_and_mean_square_are_inverse():
    assert psnr_db(mean_square(33.0)) == pytest.approx(33.0)
    assert psnr_db(4.0) == pytest.approx(0.0)
    assert psnr_db(0.0) == math.inf


def test_gallop_is_calibrated_and_says_by_what():
    found = calibration_of("gallop")
    assert found is not None
    assert len(found.channel_gains) == 16
    assert "captions" in found.origin


def test_others_are_not():
    assert calibration_of("hunyuanvideo") is None


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "bad.json").write_text('{"levels": 3}')
    with pytest.raises(WeightsError, match=r"bad\.json: is no calibration"):
        Calibration.read(tmp_path / "bad.json")
