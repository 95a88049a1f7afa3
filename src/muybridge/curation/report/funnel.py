"""The numbers of the funnel: at each stage how many clips come in, how many are left out, and by which rule."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muybridge.curation.decide import Columns, Decisions
from muybridge.curation.thresholds import FILM_TIERS, PICTURES, TIERS, Rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """A rule of a stage and the clips that it was the first to turn away. `number`: of the rule in the table."""

    number: int
    rule: Rule
    num_dropped: int
    is_measured: bool  # whether any row has the column
    num_missing: int  # rows that passed without a value

    @property
    def asked(self) -> str:
        """What the lowest tiers ask: "at least 0.002", of films and pictures where they differ."""
        said = [self.rule.words(tier) for tier in (FILM_TIERS[0], PICTURES) if tier in self.rule.limits]
        return said[0] if len(set(said)) == 1 else f"{said[0]}, pictures {said[1]}" if said else "nothing"


@dataclass(frozen=True, kw_only=True, slots=True)
class StageLine:
    """One step of the funnel."""

    name: str
    num_in: int
    reasons: tuple[Reason, ...]

    @property
    def num_dropped(self) -> int:
        """Clips left out here."""
        return sum(reason.num_dropped for reason in self.reasons)

    @property
    def num_out(self) -> int:
        """Clips that go on."""
        return self.num_in - self.num_dropped

    @property
    def is_measured(self) -> bool:
        """Whether the stage was run."""
        return any(reason.is_measured for reason in self.reasons)


@dataclass(frozen=True, kw_only=True, slots=True)
class TierLine:
    """A tier, what it holds, and which rules keep most of the tier before (or of all clips) out of it."""

    name: str
    num_clips: int
    length_s: float
    stops: tuple[tuple[Rule, int], ...]


def funnel(columns: Columns, decisions: Decisions) -> list[StageLine]:
    """The stages in the order of the table."""
    dropped = _first_failures(decisions, decisions.rejected_by)
    lines: list[StageLine] = []
    left = columns.num_rows
    for stage in decisions.thresholds.stages:
        reasons = tuple(
            Reason(
                number=number,
                rule=rule,
                num_dropped=dropped[number],
                is_measured=rule.column in columns.names and bool(columns.present(rule.column).any()),
                num_missing=decisions.num_missing[number],
            )
            for number, rule in enumerate(decisions.thresholds.rules)
            if rule.stage == stage
        )
        lines.append(StageLine(name=stage, num_in=left, reasons=reasons))
        left = lines[-1].num_out
    return lines


def tier_lines(columns: Columns, decisions: Decisions) -> list[TierLine]:
    """The tiers in their order, with the three rules that stop most."""
    lengths = columns.numbers("length_s") if "length_s" in columns.names else np.zeros(columns.num_rows)
    lines = []
    for place, tier in enumerate(TIERS):
        reached = decisions.reaches(tier)
        failed = decisions.failed[tier]
        if tier in FILM_TIERS[1:]:
            failed = np.where(decisions.reaches(TIERS[place - 1]), failed, -1)
        counts = _first_failures(decisions, failed)
        most = sorted((number for number in range(len(counts)) if counts[number]), key=lambda number: -counts[number])
        stops = tuple((decisions.thresholds.rules[number], counts[number]) for number in most[:3])
        length_s = float(np.nansum(lengths[reached])) if tier != PICTURES else 0.0
        lines.append(TierLine(name=tier, num_clips=int(reached.sum()), length_s=length_s, stops=stops))
    return lines


def _first_failures(decisions: Decisions, failed: np.ndarray) -> Sequence[int]:
    """For each rule the rows that fail by it first."""
    counts = np.bincount(failed[failed >= 0], minlength=len(decisions.thresholds.rules))
    return counts.tolist()
