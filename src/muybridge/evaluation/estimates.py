"""Means and ratios of means over clips, with their standard errors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from muybridge.core.errors import invalid


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A figure and its standard error over the `num` clips that it was measured on."""

    value: float
    error: float
    num: int

    @classmethod
    def mean(cls, values: Sequence[float]) -> Self:
        """The mean, its error by the values' spread; not a number for a single value. Raises InvalidInput on none."""
        return cls(value=float(np.mean(_some(values))), error=_error(np.asarray(values)), num=len(values))

    @classmethod
    def ratio(cls, values: Sequence[float], references: Sequence[float]) -> Self:
        """The ratio of the means of paired values, its error to first order (Cochran 1977, section 2.11).

        Raises InvalidInput on none, on different numbers, or on references whose mean is zero.
        """
        if len(values) != len(references) or not np.mean(_some(references)):
            given = f"{len(values)} values, {len(references)} references"
            raise invalid(given, "pairs, with references that are not all zero", "measure both on the same clips")
        value, scale = float(np.mean(values) / np.mean(references)), float(np.mean(references))
        residuals = np.asarray(values) - value * np.asarray(references)
        return cls(value=value, error=_error(residuals) / abs(scale), num=len(values))

    def text(self, digits: int) -> str:
        """The value with its error, such as "26.61 ± 0.42"."""
        return f"{self.value:.{digits}f} ± {self.error:.{digits}f}"


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def _some(values: Sequence[float]) -> Sequence[float]:
    if not len(values):
        raise invalid("no values", "an estimate is of at least one", "measure some clips")
    return values
