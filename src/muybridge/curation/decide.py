"""Which tiers each clip reaches, and of those that reach none the first rule that they fail: columns against a table.

No footage and no network is needed: a million rows are decided anew in seconds, whenever the table changes.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int16, Int32

from muybridge.curation.thresholds import FILM_TIERS, PICTURES, REVIEWED, TIERS, Rule, Thresholds

PASSED, OTHER_KIND = (
    -1,
    -2,
)  # in place of a rule's number: reaches the tier; a picture in a tier of films, or the reverse
STANDING = ("clip", "duplicates")  # stages whose rules no approval lifts: a reviewer sees neither sizes nor other clips


class Columns(Protocol):
    """Rows by columns, however they are kept."""

    @property
    def num_rows(self) -> int:
        """How many clips."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that there are; others count as missing everywhere."""
        ...

    def numbers(self, name: str) -> Float64[np.ndarray, "rows"]:
        """A column of numbers or truth values, NaN where there is none."""
        ...

    def words(self, name: str) -> tuple[Int32[np.ndarray, "rows"], tuple[str, ...]]:
        """A column of texts as numbers into the different ones, -1 where there is none."""
        ...

    def present(self, name: str) -> Bool[np.ndarray, "rows"]:
        """Where a column has a value."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Decisions:
    """For each tier the number of the first rule that each row fails, PASSED or OTHER_KIND."""

    thresholds: Thresholds
    failed: Mapping[str, Int16[np.ndarray, "rows"]]
    is_picture: Bool[np.ndarray, "rows"]
    num_missing: tuple[int, ...]  # for each rule, rows without a value where the lowest tier asks for one

    def reaches(self, tier: str) -> Bool[np.ndarray, "rows"]:
        """Which rows are in a tier."""
        return self.failed[tier] == PASSED

    @property
    def is_kept(self) -> Bool[np.ndarray, "rows"]:
        """Which rows are in any tier."""
        return self.rejected_by == PASSED

    @property
    def rejected_by(self) -> Int16[np.ndarray, "rows"]:
        """The rule of the lowest tier, 256p for films, that each row fails first; PASSED for those that reach it."""
        return np.where(self.is_picture, self.failed[PICTURES], self.failed[FILM_TIERS[0]])

    def counts(self) -> dict[str, int]:
        """Rows in each tier."""
        return {tier: int(self.reaches(tier).sum()) for tier in TIERS}


def lowest_tier(is_picture: bool) -> str:
    """The tier whose rules decide whether a clip is kept."""
    return PICTURES if is_picture else FILM_TIERS[0]


def decide(columns: Columns, thresholds: Thresholds) -> Decisions:
    """Hold every row against every rule. Memory: some bytes a row and tier. Rows without `is_picture` are films.

    Where there is a column of `REVIEWED`, that rule goes before the table's, and clips that a reviewer approved and the
    table alone would leave out are held against the rules of `STANDING` stages only.
    """
    if REVIEWED.column not in columns.names:
        return _decide(columns, thresholds)
    every = _decide(columns, Thresholds(rules=(REVIEWED, *thresholds.rules)))
    standing = _decide(columns, every.thresholds, stages=(REVIEWED.stage, *STANDING))
    codes, words = columns.words(REVIEWED.column)
    is_lifted = np.array([word == "approved" for word in words] + [False])[codes] & ~every.is_kept
    failed = {tier: np.where(is_lifted, standing.failed[tier], every.failed[tier]) for tier in TIERS}
    return replace(every, failed=MappingProxyType(failed))


def _decide(columns: Columns, thresholds: Thresholds, *, stages: Collection[str] | None = None) -> Decisions:
    """By all rules, or those of some stages."""
    is_picture = np.zeros(columns.num_rows, bool)
    if "is_picture" in columns.names:
        is_picture = columns.numbers("is_picture") == 1
    failed = {
        tier: np.where(is_picture == (tier == PICTURES), np.int16(PASSED), np.int16(OTHER_KIND)) for tier in TIERS
    }
    num_missing = []
    for number, rule in enumerate(thresholds.rules):
        is_there = rule.column in columns.names
        present = columns.present(rule.column) if is_there else np.zeros(columns.num_rows, bool)
        asked = np.where(is_picture, PICTURES in rule.limits, FILM_TIERS[0] in rule.limits)
        num_missing.append(0 if rule.kind == "empty" else int((asked & ~present).sum()))
        for tier in rule.limits if stages is None or rule.stage in stages else ():
            passes = _passes(columns, rule, tier) if is_there else np.ones(columns.num_rows, bool)
            is_wrong = ~(present & passes) if rule.is_required else present & ~passes
            failed[tier][is_wrong & (failed[tier] == PASSED)] = number
    return Decisions(
        thresholds=thresholds,
        failed=MappingProxyType(failed),
        is_picture=is_picture,
        num_missing=tuple(num_missing),
    )


def _passes(columns: Columns, rule: Rule, tier: str) -> Bool[np.ndarray, "rows"]:
    """Whether the values that are there hold; what it says of missing ones does not count."""
    limit = rule.limits[tier]
    if rule.kind == "empty":
        return ~columns.present(rule.column)
    if isinstance(limit, tuple):
        codes, words = columns.words(rule.column)
        is_named = np.array([word in limit for word in words] or [False])[codes]
        return is_named if rule.kind == "one_of" else ~is_named
    numbers = columns.numbers(rule.column)
    with np.errstate(invalid="ignore"):
        return numbers >= limit if rule.kind == "at_least" else numbers <= limit
