"""The columns that say what became of each clip."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from muybridge.curation.decide import PASSED, Decisions, decide, lowest_tier
from muybridge.curation.output.table import Table, chosen_lists, chosen_texts, where
from muybridge.curation.stage import Column
from muybridge.curation.thresholds import TIERS, Thresholds

DECISION_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        "tiers": "texts",
        "rejected_stage": "text",
        "rejected_column": "text",
        "rejected_value": "text",  # of any column, as the report shows it; the column itself has it to the last digit
        "rejected_threshold": "text",
    }
)


def decided(table: Table, thresholds: Thresholds) -> tuple[Table, Decisions]:
    """The table with `DECISION_COLUMNS` in place of any that it had, and the decisions that they come from."""
    plain = table.without(DECISION_COLUMNS)
    decisions = decide(plain, thresholds)
    rules = decisions.thresholds.rules  # with that of reviewers, where there is one
    failed = decisions.rejected_by.astype(np.int32)
    limits, codes = _limits(decisions)
    columns: dict[str, Any] = {
        "tiers": _tiers(decisions),
        "rejected_stage": chosen_texts(failed, [rule.stage for rule in rules]),
        "rejected_column": chosen_texts(failed, [rule.column for rule in rules]),
        "rejected_value": _values(plain, decisions),
        "rejected_threshold": chosen_texts(codes, limits),
    }
    return plain.with_columns(columns, DECISION_COLUMNS), decisions


def _tiers(decisions: Decisions) -> Any:
    bits = sum(decisions.reaches(tier).astype(np.int32) << place for place, tier in enumerate(TIERS))
    sets, codes = np.unique(np.asarray(bits, np.int32), return_inverse=True)
    lists = [[tier for place, tier in enumerate(TIERS) if each >> place & 1] for each in sets]
    return chosen_lists(codes.astype(np.int32), lists)


def _limits(decisions: Decisions) -> tuple[list[str], np.ndarray]:
    """What rules say of films and then of pictures, and for each row the number of what turned it away."""
    tiers = (lowest_tier(False), lowest_tier(True))
    rules = decisions.thresholds.rules
    texts = [rule.words(tier) if tier in rule.limits else "" for tier in tiers for rule in rules]
    failed = decisions.rejected_by.astype(np.int32)
    return texts, np.where(failed == PASSED, -1, failed + len(rules) * decisions.is_picture).astype(np.int32)


def _values(table: Table, decisions: Decisions) -> Any:
    """What each rejected row has in the column that it failed by."""
    failed = decisions.rejected_by
    values: Any = chosen_texts(np.full(table.num_rows, -1, np.int32), [])
    for number, rule in enumerate(decisions.thresholds.rules):
        is_this = failed == number
        if rule.column in table.names and is_this.any():
            values = where(is_this, table.said(rule.column), values)
    return values
