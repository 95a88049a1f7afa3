"""Estimates: errors shrink with the number of clips, and a ratio of proportional values is exact."""

import math

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.evaluation.estimates import Estimate


def test_the_error_of_a_mean_is_that_of_repeated_draws() -> None:
    draws = np.random.default_rng(0).normal(3.0, 2.0, (2000, 25))
    spread = draws.mean(axis=1).std()
    assert np.mean([Estimate.mean(row).error for row in draws]) == pytest.approx(spread, rel=0.05)


def test_the_error_of_a_ratio_is_that_of_repeated_draws() -> None:
    random = np.random.default_rng(1)
    references = random.uniform(1.0, 3.0, (2000, 30))
    values = 2 * references + random.normal(0.0, 0.5, references.shape)
    found = [Estimate.ratio(v, r) for v, r in zip(values, references, strict=True)]
    assert np.mean([e.error for e in found]) == pytest.approx(np.std([e.value for e in found]), rel=0.05)


def test_proportional_values_have_a_sure_ratio() -> None:
    found = Estimate.ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (found.value, found.error, found.num) == (2.0, 0.0, 3)
    assert found.text(1) == "2.0 ± 0.0"


def test_one_value_has_no_error_and_no_value_no_estimate() -> None:
    assert math.isnan(Estimate.mean([1.0]).error)
    with pytest.raises(InvalidInput, match="no values"):
        Estimate.mean([])
    with pytest.raises(InvalidInput, match="pairs"):
        Estimate.ratio([1.0], [0.0])
