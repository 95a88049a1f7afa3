"""What is measured of a model once, so that surprises on the way tell of errors in the finished film.

`python benchmarks/cache_calibration.py` measures it and writes the file that is read here.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.caches.gaps import log_odds
from muybridge.core import config
from muybridge.core.errors import WeightsError
from muybridge.flow.evaluations import Evaluation

_FOLDER = Path(__file__).parent / "calibrations"
PEAK_TO_PEAK = 2.0  # of pixels in [-1, 1]
TOLERANCE_DB = 1.0  # of a quality that is asked for; evaluations come whole, so that most films exceed it


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """How a model's velocities surprise, and what of it is seen.

    channel_gains: squared pixel error for a squared error of 1 in a latent channel, of the VAE alone.
    levels: falling values of sigma at which the next two are known; between them their logarithms are interpolated.
    roughness: root mean square surprise, in pixels, of a velocity predicted over a distance of 1 in log-odds; it goes
    with the power `exponent` of the distance. carries: what a squared correction over a distance of 1 leaves as squared
    error in the finished film; the amplitude goes with the power `growth` of the distance. slope, offset_db: what turns
    the PSNR of the summed errors into the real one, from films made within budgets: plans take the gaps that the laws
    think cheap, and so the sum is too small. spread_db: standard deviation of that estimate from the real PSNR, among
    films. origin: what was measured.
    """

    channel_gains: tuple[float, ...]
    levels: tuple[float, ...]
    roughness: tuple[float, ...]
    exponent: float
    carries: tuple[float, ...]
    growth: float
    spread_db: float
    origin: str
    slope: float = 1.0
    offset_db: float = 0.0

    def __post_init__(self) -> None:
        assert len(self.levels) == len(self.roughness) == len(self.carries) > 1, "one of each at every level"

    def in_pixels(self, latents: Float[Tensor, "c t h w"]) -> float:
        """Mean squared pixel error for this error in latents; waits for the device."""
        gains = latents.new_tensor(self.channel_gains)
        return float((latents.square().mean((1, 2, 3)) * gains).sum())

    def estimated_psnr_db(self, error: float) -> float:
        """The PSNR to expect of a film whose summed errors are this mean square; infinite without any."""
        return self.offset_db + self.slope * psnr_db(error)

    def allowed_error(self, psnr: float) -> float:
        """The sum of errors with which five films in six fall no more than TOLERANCE_DB below this PSNR."""
        return mean_square((psnr + self.spread_db - TOLERANCE_DB - self.offset_db) / self.slope)

    def surprise(self, start: Evaluation, end: Evaluation) -> float:
        """Expected mean square, in pixels, of the surprise at `end` when the velocity was last known at `start`."""
        return (self._at(self.roughness, end.sigma) * _distance(start, end) ** self.exponent) ** 2

    def carry(self, start: Evaluation, end: Evaluation) -> float:
        """What the squared correction of a gap leaves as squared error in the finished film."""
        return self._at(self.carries, end.sigma) * _distance(start, end) ** (2 * self.growth)

    def _at(self, values: Sequence[float], sigma: float) -> float:
        """Interpolated in logarithms."""
        levels = self.levels
        index = next((i for i, level in enumerate(levels[1:-1]) if sigma >= level), len(levels) - 2)
        high, low = levels[index], levels[index + 1]
        share = min(max((high - sigma) / (high - low), 0.0), 1.0)
        return math.exp((1 - share) * math.log(values[index]) + share * math.log(values[index + 1]))

    @classmethod
    def read(cls, path: Path) -> Self:
        """The calibration in a JSON file; raises WeightsError where it is none."""
        try:
            return config.from_dict(cls, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise WeightsError(f"{path}: is no calibration ({error}); measure it again.") from None


def _distance(start: Evaluation, end: Evaluation) -> float:
    """In log-odds; evaluations of one level surprise by their rounding alone."""
    return max(log_odds(start.sigma) - log_odds(end.sigma), 1e-6)


def calibration_of(model: str) -> Calibration | None:
    """That of a model by its catalogue name; None where it has not been measured."""
    path = _FOLDER / f"{model}.json"
    return Calibration.read(path) if path.is_file() else None


def psnr_db(mean_square: float) -> float:
    """PSNR of pixels in [-1, 1] with that mean squared error; infinite without any."""
    return math.inf if mean_square <= 0 else 10 * math.log10(PEAK_TO_PEAK**2 / mean_square)


def mean_square(psnr: float) -> float:
    """The inverse of `psnr_db`."""
    return PEAK_TO_PEAK**2 / 10 ** (psnr / 10)
