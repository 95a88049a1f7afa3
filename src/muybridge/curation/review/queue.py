"""Which clips a reviewer is shown, and in which order."""

import hashlib
import operator
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.decide import Decisions
from muybridge.curation.output.table import Table
from muybridge.curation.thresholds import TIERS

_COMPARED: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "=": operator.eq,
}  # fmt: skip
_CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==|<|>|=)\s*(.+?)\s*")
ONLY = ("all", "kept", "rejected", "disputed")  # or tier=NAME


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueConfig:
    """only: all, kept, rejected, disputed, or tier=NAME. where: all must hold. num_sampled: 0 for all that is left."""

    only: str = "all"
    where: tuple[str, ...] = ()
    num_sampled: int = 0

    def __post_init__(self) -> None:
        tier = self.only.removeprefix("tier=")
        if self.only not in ONLY and (tier == self.only or tier not in TIERS):
            raise invalid(f"--only {self.only}", "is no set of clips", f"use {', '.join(ONLY)} or tier={TIERS[0]}")
        if self.num_sampled < 0:
            raise invalid(f"--sample {self.num_sampled}", "is a number of clips", "use 100, or 0 for all")
        for condition in self.where:
            if not _CONDITION.fullmatch(condition):
                raise invalid(f"--where {condition!r}", "is COLUMN, a comparison and a value", "write 'technical<0.4'")


def queue(table: Table, decisions: Decisions, config: QueueConfig, *, disputed: Collection[str]) -> list[str]:
    """Ids in an order that has nothing to do with where clips are from, the same on each call and for each reviewer.

    Raises InvalidInput where a condition names a column that is not there, or nothing is left.
    """
    ids = table.values("id")
    taken = _those(ids, decisions, config.only, disputed=disputed)
    for condition in config.where:
        taken &= holds(table, condition)
    chosen = sorted((clip for clip, is_taken in zip(ids, taken.tolist(), strict=True) if is_taken), key=_shuffled)
    if not chosen:
        said = " and ".join((config.only, *config.where))
        raise InvalidInput(f"{said}: there is no such clip; ask for others by --only and --where.")
    return chosen[: config.num_sampled or None]


def holds(table: Table, condition: str) -> Bool[np.ndarray, "rows"]:
    """Where a condition holds; never for a missing value. Raises InvalidInput."""
    found = _CONDITION.fullmatch(condition)
    assert found, condition
    column, sign, value = found[1], found[2].replace("==", "="), found[3].strip("'\"")
    if column not in table.names:
        raise invalid(f"--where {condition!r}", f"there is no column {column}", f"columns are {', '.join(table.names)}")
    kind = table.column_type(column)
    if kind == "text":
        return table.present(column) & _words_hold(table, column, sign, value)
    if kind in ("texts", "floats"):
        raise invalid(f"--where {condition!r}", f"{column} holds lists", "use a column of numbers or words")
    return table.present(column) & _COMPARED[sign](table.numbers(column), _number(value, condition))


def _those(ids: Sequence[str], decisions: Decisions, only: str, *, disputed: Collection[str]) -> np.ndarray:
    if only == "all":
        return np.ones(len(ids), bool)
    if only == "disputed":
        return np.array([clip in disputed for clip in ids], bool)
    if only in ("kept", "rejected"):
        return decisions.is_kept == (only == "kept")
    return decisions.reaches(only.removeprefix("tier=")).copy()


def _words_hold(table: Table, column: str, sign: str, value: str) -> np.ndarray:
    if sign not in ("=", "!="):
        raise invalid(f"--where {column}{sign}{value}", f"{column} holds words", f"write '{column}={value}'")
    codes, words = table.words(column)
    return np.array([(word == value) == (sign == "=") for word in words] + [False])[codes]


def _number(value: str, condition: str) -> float:
    named = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}
    try:
        return named[value] if value in named else float(value)
    except ValueError:
        raise invalid(f"--where {condition!r}", f"{value!r} is no number", "write 'technical<0.4'") from None


def _shuffled(clip: str) -> bytes:
    return hashlib.sha256(clip.encode()).digest()
