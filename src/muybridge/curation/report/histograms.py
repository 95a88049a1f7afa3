"""Histograms of the columns that rules ask about, with the limits of each tier, in units of a drawing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from muybridge.curation.decide import Columns
from muybridge.curation.thresholds import TIERS, Rule, Thresholds

WIDTH, HEIGHT, NUM_BINS = 300.0, 72.0, 40
_TAIL = 0.01  # share of the values at each end that is heaped into the outermost bars
_MARGIN = 0.06  # of the range, beyond a limit that lies outside of the values


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A bar of the drawing, y downwards from its top."""

    x: float
    y: float
    width: float
    height: float
    num_clips: int
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """A limit, and the tiers that have it."""

    x: float
    limit: float
    tiers: tuple[str, ...]
    kind: str

    @property
    def number(self) -> int:
        """Of its first tier, for its colour."""
        return TIERS.index(self.tiers[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """A column's values and limits."""

    stage: str
    column: str
    num_values: int
    num_missing: int
    median: float
    low: float
    high: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]


def histograms(columns: Columns, thresholds: Thresholds) -> list[Histogram]:
    """Of each column of numbers that rules ask about and that some row has, in the table's order."""
    found = []
    for column in thresholds.columns:
        rules = [rule for rule in thresholds.rules if rule.column == column and rule.kind in ("at_least", "at_most")]
        if not rules or column not in columns.names:
            continue
        numbers = columns.numbers(column)
        if np.isfinite(numbers).any():
            found.append(_histogram(rules, numbers[np.isfinite(numbers)], num_rows=len(numbers)))
    return found


def _histogram(rules: Sequence[Rule], values: Float64[np.ndarray, "values"], *, num_rows: int) -> Histogram:
    limits = [float(limit) for rule in rules for limit in rule.limits.values() if not isinstance(limit, tuple)]
    low, high = _range(values, limits)
    counts, edges = np.histogram(np.clip(values, low, high), bins=NUM_BINS, range=(low, high))
    tallest = math.sqrt(max(int(counts.max()), 1))
    step = WIDTH / NUM_BINS
    bars = tuple(
        Bar(
            x=round(place * step, 2),
            y=round(HEIGHT * (1 - math.sqrt(count) / tallest), 2),
            width=round(step - 1, 2),
            height=round(HEIGHT * math.sqrt(count) / tallest, 2),
            num_clips=count,
            low=float(edges[place]),
            high=float(edges[place + 1]),
        )
        for place, count in enumerate(counts.tolist())
        if count
    )
    return Histogram(
        stage=rules[0].stage,
        column=rules[0].column,
        num_values=len(values),
        num_missing=num_rows - len(values),
        median=float(np.median(values)),
        low=low,
        high=high,
        bars=bars,
        marks=tuple(_marks(rules, low, high)),
    )


def _range(values: Float64[np.ndarray, "values"], limits: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (_TAIL, 1 - _TAIL)).tolist()
    low, high = min(low, *limits), max(high, *limits)
    room = (high - low) * _MARGIN or abs(high) * _MARGIN or 1.0
    is_share = low >= 0 and float(values.min()) >= 0
    return (max(0.0, low - room) if is_share else low - room), high + room


def _marks(rules: Sequence[Rule], low: float, high: float) -> list[Mark]:
    """Each different limit once, with all tiers that have it."""
    tiers: dict[tuple[str, float], list[str]] = {}
    for rule in rules:
        for tier in TIERS:
            limit = rule.limits.get(tier)
            if limit is not None and not isinstance(limit, tuple):
                tiers.setdefault((rule.kind, float(limit)), []).append(tier)
    return [
        Mark(x=round(WIDTH * (limit - low) / (high - low), 2), limit=limit, tiers=tuple(names), kind=kind)
        for (kind, limit), names in tiers.items()
    ]
