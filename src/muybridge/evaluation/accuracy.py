"""Counts of right answers as a share with its interval."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muybridge.core.errors import invalid

_Z = 1.959964  # 95 %, two-sided


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`num_right` of `num`."""

    num_right: int
    num: int

    def __post_init__(self) -> None:
        if not 0 <= self.num_right <= self.num:
            raise invalid(f"{self.num_right} of {self.num}", "a count lies within its total", "count again")

    @property
    def value(self) -> float:
        """In [0, 1]; not a number where nothing was counted."""
        return self.num_right / self.num if self.num else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 % Wilson score interval (E. B. Wilson 1927); (0, 1) where nothing was counted."""
        if not self.num:
            return 0.0, 1.0
        spread = _Z**2 / self.num
        middle = (self.value + spread / 2) / (1 + spread)
        half = _Z / (1 + spread) * math.sqrt(self.value * (1 - self.value) / self.num + spread / (4 * self.num))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if not self.num:
            return "none asked"
        low, high = self.interval
        return f"{self.value:.1%} ({low:.0%} to {high:.0%}; {self.num_right} of {self.num})"


def share_right(
    asked: Sequence[Mapping[str, str]], seen: Sequence[Mapping[str, str]], attribute: str, *, among: Sequence[str] = ()
) -> Share:
    """How often `seen` agrees with what was `asked` of an attribute; `among` keeps only asked values in it."""
    pairs = [
        (a[attribute], s[attribute])
        for a, s in zip(asked, seen, strict=True)
        if not among or a[attribute] in among
    ]  # fmt: skip
    return Share(num_right=sum(a == s for a, s in pairs), num=len(pairs))


def mean_recall(asked: Sequence[Mapping[str, str]], seen: Sequence[Mapping[str, str]], attribute: str) -> float:
    """The mean over asked values of the share that was seen right: frequent values count no more than rare ones."""
    values = sorted({fact[attribute] for fact in asked})
    return sum(share_right(asked, seen, attribute, among=(value,)).value for value in values) / len(values)
