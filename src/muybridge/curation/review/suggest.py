"""Which limit of each column would agree best with the reviewers: a help for tuning the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from muybridge.curation.decide import lowest_tier
from muybridge.curation.output.table import Table
from muybridge.curation.thresholds import Kind, Thresholds

_FACTS = ("start_s", "end_s", "fps", "sampling_weight", "start_frame", "concept", "shot", "source_width",
          "source_height", "has_consent", "is_picture", "has_sound")  # fmt: skip  # say nothing of how a clip looks


@dataclass(frozen=True, kw_only=True, slots=True)
class Suggestion:
    """A limit that keeps what was approved and leaves out what was rejected, as far as one column can.

    accuracy: balanced, the mean of the shares of approved clips kept and of rejected ones left out; now: that of the
    limit which the table has at the lowest tier, None where it asks nothing.
    """

    column: str
    kind: Kind
    limit: float
    accuracy: float
    now: float | None
    limit_now: float | None
    num_approved: int
    num_rejected: int


def suggest(table: Table, verdicts: Mapping[str, str], thresholds: Thresholds) -> list[Suggestion]:
    """Of each column of numbers that has a value for approved and for rejected clips, the best first.

    It is fitted to the clips that it is measured on: with few verdicts the figures flatter.
    """
    given = [verdicts.get(clip) for clip in table.values("id")]
    rows = [row for row, verdict in enumerate(given) if verdict is not None]
    small, is_good = table.taken(rows), np.array([given[row] == "approved" for row in rows], bool)
    found = []
    for column in table.names:
        if column in _FACTS or table.column_type(column) not in ("float", "int", "bool"):
            continue
        values = small.numbers(column)
        is_there = np.isfinite(values)
        one = _of_column(column, values[is_there], is_good[is_there], thresholds)
        found += [one] if one is not None else []
    return sorted(found, key=lambda each: (-each.accuracy, each.column))


def best_cut(values: Sequence[float], is_good: Sequence[bool]) -> tuple[Kind, float, float]:
    """(the side that is kept, the limit, balanced accuracy) with both kinds of clips in it."""
    x, good = np.asarray(values, np.float64), np.asarray(is_good, bool)
    order = np.argsort(x, kind="stable")
    x, good = x[order], good[order]
    below_good = np.concatenate([[0], np.cumsum(good)]) / good.sum()
    below_bad = np.concatenate([[0], np.cumsum(~good)]) / (~good).sum()
    is_edge = np.concatenate([[True], x[1:] > x[:-1], [True]])
    keeps_high = np.where(is_edge, (1 - below_good + below_bad) / 2, -1.0)
    keeps_low = np.where(is_edge, (below_good + 1 - below_bad) / 2, -1.0)
    kind: Kind = "at_least" if keeps_high.max() >= keeps_low.max() else "at_most"
    accuracy = keeps_high if kind == "at_least" else keeps_low
    place = int(accuracy.argmax())
    middle = (x[max(place - 1, 0)] + x[min(place, len(x) - 1)]) / 2
    return kind, float(f"{middle:.4g}"), float(accuracy[place])


def _of_column(column: str, values: np.ndarray, is_good: np.ndarray, thresholds: Thresholds) -> Suggestion | None:
    num_good, num_bad = int(is_good.sum()), int((~is_good).sum())
    if not num_good or not num_bad or len(np.unique(values)) < 2:
        return None
    kind, limit, accuracy = best_cut(values.tolist(), is_good.tolist())
    limit_now, now = None, None
    for rule in thresholds.rules:
        asked = rule.limits.get(lowest_tier(False))
        if rule.column == column and rule.kind in ("at_least", "at_most") and isinstance(asked, int | float):
            passes = values >= asked if rule.kind == "at_least" else values <= asked
            limit_now, now = float(asked), float((passes[is_good].mean() + (~passes[~is_good]).mean()) / 2)
    return Suggestion(
        column=column, kind=kind, limit=limit, accuracy=accuracy, now=now, limit_now=limit_now,
        num_approved=num_good, num_rejected=num_bad,
    )  # fmt: skip
