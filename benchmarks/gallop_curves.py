"""Learning curves of gallop's stages, kept as small tables, and the power laws that they follow."""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """A stage of training: the run's folder under --runs, what validation calls its measure, and where it begins.

    samples_before: of the same size, seen by the weights that the stage started from. fitted_from_step: the first one
    that the power law is fitted to; earlier ones are of the warm-up, or of a new optimizer finding its feet.
    """

    name: str
    run: str
    title: str
    measure: str
    batch_size: int
    samples_before: int = 0
    fitted_from_step: int = 0


CURVES = (
    Curve(name="flow-64", run="old/gallop/gallop-flow-64", title="transformer, 64 px", measure="val", batch_size=32),
    Curve(name="flow-128", run="old/gallop/gallop-flow-128", title="128 px", measure="val", batch_size=16),
    Curve(
        name="flow-128-on", run="gallop/gallop-flow-128", title="128 px, trained on", measure="val", batch_size=24,
        samples_before=20_800, fitted_from_step=400,
    ),
    Curve(
        name="flow-held", run="gallop/gallop-flow-held", title="128 px, frames given", measure="val", batch_size=24,
        samples_before=61_600,
    ),
    Curve(
        name="decoder", run="gallop/gallop-decoder", title="wider decoder for the same latents", measure="psnr_db",
        batch_size=8, fitted_from_step=500,
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """What validation said during a stage: samples seen, minutes since its first figures, the measure."""

    samples: tuple[int, ...]
    minutes: tuple[float, ...]
    values: tuple[float, ...]


def extract(curve: Curve, runs: Path, folder: Path) -> bool:
    """Write `folder`/NAME.csv from the run's metrics; False where there is no such run here."""
    source = runs / curve.run / "metrics.jsonl"
    if not source.exists():
        return False
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    begun = rows[0]["time"]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{curve.name}.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["step", "samples", "minutes", curve.measure])
        for row in rows:
            if curve.measure in row:
                samples = curve.samples_before + row["step"] * curve.batch_size
                minutes, value = (row["time"] - begun) / 60, row[curve.measure]
                table.writerow([row["step"], samples, f"{minutes:.1f}", f"{value:.5f}"])
    return True


def read(curve: Curve, folder: Path, *, is_fitted: bool = False) -> Points:
    """The kept table; with `is_fitted` the rows that the power law is fitted to."""
    with (folder / f"{curve.name}.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not is_fitted or int(row["step"]) >= curve.fitted_from_step]
    return Points(
        samples=tuple(int(row["samples"]) for row in rows),
        minutes=tuple(float(row["minutes"]) for row in rows),
        values=tuple(float(row[curve.measure]) for row in rows),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class PowerLaw:
    """value = exp(level) * samples^-exponent by least squares in logarithms, with what the fit says of its error.

    Points of one run are not independent and nothing here knows of a floor, so intervals are the narrowest that can be
    claimed; beyond a few times the samples that were seen they are not to be believed at all.
    """

    level: float
    exponent: float
    covariance: tuple[tuple[float, float], tuple[float, float]]  # of (level, -exponent)
    num: int

    @classmethod
    def fit(cls, samples: Sequence[float], values: Sequence[float]) -> "PowerLaw":
        """Through at least three points."""
        inputs = np.stack([np.ones(len(samples)), np.log(samples)], axis=1)
        outputs = np.log(values)
        (level, slope), *_ = np.linalg.lstsq(inputs, outputs, rcond=None)
        residuals = outputs - inputs @ np.array([level, slope])
        variance = residuals @ residuals / (len(samples) - 2)
        spread = variance * np.linalg.inv(inputs.T @ inputs)
        covariance = ((float(spread[0, 0]), float(spread[0, 1])), (float(spread[1, 0]), float(spread[1, 1])))
        return cls(level=float(level), exponent=float(-slope), covariance=covariance, num=len(samples))

    @property
    def exponent_error(self) -> float:
        """Half of the 95 % interval of the exponent."""
        return self._quantile * math.sqrt(self.covariance[1][1])

    def at(self, samples: float) -> float:
        """The value after so many samples."""
        return math.exp(self.level - self.exponent * math.log(samples))

    def samples_for(self, value: float) -> tuple[float, float, float]:
        """How many samples a value takes: the best guess and the ends of its 95 % interval, to first order."""
        middle = (self.level - math.log(value)) / self.exponent
        gradient = np.array([1.0, middle]) / self.exponent  # by (level, slope): slope = -exponent
        half = self._quantile * math.sqrt(float(gradient @ np.array(self.covariance) @ gradient))
        return math.exp(middle), math.exp(middle - half), math.exp(middle + half)

    @property
    def _quantile(self) -> float:
        """Student's 97.5 % point by Cornish and Fisher's expansion, right to a thousandth from three degrees on."""
        z, degrees = NormalDist().inv_cdf(0.975), self.num - 2
        return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
