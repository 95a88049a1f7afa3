"""What is kept, as a table: for each tier the values that a clip's columns must have.   Paper 3.1."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.stage import Column

FILM_TIERS = ("256p", "360p", "540p", "720p", "finetune")  # each holds the next
PICTURES = "images"
TIERS = (*FILM_TIERS, PICTURES)

Kind = Literal["at_least", "at_most", "one_of", "none_of", "empty"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Limit = float | tuple[str, ...] | bool  # a number; the words of one_of and none_of; True for empty
_ALLOWED: Mapping[Kind, tuple[Column, ...]] = {
    "at_least": ("float", "int", "bool"),
    "at_most": ("float", "int", "bool"),
    "one_of": ("text",),
    "none_of": ("text",),
    "empty": ("float", "int", "bool", "text"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One row of the table: what a column must be in each tier; a tier without a limit does not ask.

    A missing value passes, because the stage was not run or has nothing to say, unless `is_required`. `empty` is for
    columns that name a fault: there must be none. Within the tiers of films limits only get stricter.
    """

    stage: str
    column: str
    kind: Kind
    limits: Mapping[str, Limit]
    is_required: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise invalid(f"{self.name}: {self.kind!r}", "is no kind of rule", f"use one of {', '.join(KINDS)}")
        if not self.limits:
            raise invalid(self.name, "no tier has a limit", "give one, or leave the row out")
        for tier, limit in self.limits.items():
            if tier not in TIERS:
                raise invalid(f"{self.name}: tier {tier!r}", "there is no such tier", f"use one of {', '.join(TIERS)}")
            self._check_limit(tier, limit)
        self._check_monotone()

    @property
    def name(self) -> str:
        """`motion.still_share`."""
        return f"{self.stage}.{self.column}"

    def words(self, tier: str) -> str:
        """The limit as the report and the manifest say it: "at least 0.05"."""
        limit = self.limits[tier]
        if isinstance(limit, bool):
            return "empty"
        said = ", ".join(limit) if isinstance(limit, tuple) else f"{limit:g}"
        return f"{self.kind.replace('_', ' ')} {said}"

    def _check_limit(self, tier: str, limit: Limit) -> None:
        if self.kind == "empty":
            is_right, rule = limit is True, "is asked for by `true`"
        elif self.kind in ("one_of", "none_of"):
            is_right = isinstance(limit, tuple) and bool(limit) and all(isinstance(word, str) for word in limit)
            rule = "takes a list of words"
        else:
            is_right = isinstance(limit, int | float) and not isinstance(limit, bool) and math.isfinite(limit)
            rule = "takes a number"
        if not is_right:
            raise invalid(f"{self.name}: {self.kind} of {tier} is {limit!r}", rule, "write it so")

    def _check_monotone(self) -> None:
        for tier, following in pairwise(FILM_TIERS):
            if tier in self.limits and not (following in self.limits and self._is_stricter(tier, following)):
                now = self.words(following) if following in self.limits else "not asked"
                given = f"{self.name}: {self.words(tier)} in {tier}, {now} in {following}"
                raise invalid(given, "a tier is at least as strict as the one before", f"mend the limit of {following}")

    def _is_stricter(self, tier: str, following: str) -> bool:
        """Whether all that passes in `following` passes in `tier`."""
        before, after = self.limits[tier], self.limits[following]
        if isinstance(before, tuple) and isinstance(after, tuple):
            return set(after) <= set(before) if self.kind == "one_of" else set(before) <= set(after)
        if isinstance(before, tuple) or isinstance(after, tuple):
            return False
        return after <= before if self.kind == "at_most" else after >= before


# Reviewers' word: holds where clips were reviewed, before all other rules and whatever the table.
REVIEWED = Rule(
    stage="review", column="review_verdict", kind="none_of", limits=dict.fromkeys(TIERS, ("rejected",))
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Thresholds:
    """All rules, in the order of the stages: the first that a clip fails is the one that is told."""

    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        seen: set[tuple[str, str]] = set()
        for rule in self.rules:
            if (rule.column, rule.kind) in seen:
                raise invalid(f"{rule.name}: {rule.kind}", "stands twice in the table", "leave one of the rows out")
            seen.add((rule.column, rule.kind))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that rules read, each once."""
        return tuple(dict.fromkeys(rule.column for rule in self.rules))

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages by whose columns clips may be left out, in order."""
        return tuple(dict.fromkeys(rule.stage for rule in self.rules))

    @property
    def digest(self) -> str:
        """Twelve hex digits that change with any limit but those of `REVIEWED`; the manifest carries them."""
        said = "\n".join(
            f"{rule.name} {rule.kind} {sorted(rule.limits.items())} {rule.is_required}"
            for rule in self.rules
            if rule is not REVIEWED
        )
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    def check_against(self, known: Mapping[str, Mapping[str, Column]]) -> None:
        """Raises InvalidInput where a rule names a stage, a column or a kind that `known`, stage to columns, lacks."""
        for rule in self.rules:
            columns = known.get(rule.stage)
            if columns is None:
                raise invalid(rule.name, "there is no such stage", f"stages are {_listed(known)}")
            if rule.column not in columns:
                raise invalid(rule.name, f"{rule.stage} writes no such column", f"it writes {_listed(columns)}")
            if columns[rule.column] not in _ALLOWED[rule.kind]:
                said = f"{rule.name}: {rule.kind}"
                raise invalid(
                    said, f"the column holds {columns[rule.column]}", f"use one of {_kinds(columns[rule.column])}"
                )


def check_tiers(tiers: Iterable[str]) -> tuple[str, ...]:
    """The tiers in their order, each once. Raises InvalidInput for one that is not known."""
    chosen = set(tiers)
    if unknown := sorted(chosen - set(TIERS)):
        raise InvalidInput(f"tier {unknown[0]!r}: there is no such tier; use {', '.join(TIERS)}.")
    return tuple(tier for tier in TIERS if tier in chosen)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _kinds(column: Column) -> str:
    found: Sequence[str] = [kind for kind in KINDS if column in _ALLOWED[kind]]
    return _listed(found)
