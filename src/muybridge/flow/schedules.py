"""How strong guidance is over a run: one number, a line from one to another, all the time or in a part of it.

    6              6 at every step
    1-6            from 1 in the first step to 6 in the last, evenly over the steps
    6@0.2-0.8      6 at noise levels from 0.2 to 0.8, none elsewhere   (arXiv 2404.07724)
    6#3-20         6 in steps 3 to 20, none elsewhere; also 6#3- and 6#3
    8-2@0.2-0.8    from 8 at level 0.8 to 2 at level 0.2

A scale of 1 is no guidance; that is what "none" means.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import InvalidInput, invalid

NONE = 1.0  # the scale that guides nothing
SYNTAX = "SCALE[-SCALE][@SIGMA-SIGMA|#STEPS]"
Scale = Callable[[float], float]  # the scale at a noise level
Steps = tuple[int, int | None]  # the first and the last, counted from 1; None for all from the first on

_EXAMPLE = "write it like 6, 1-6, 6@0.2-0.8 or 6#3-20"
_NUMBER = r"\d+(?:\.\d+)?|\.\d+"
_WORD = re.compile(
    rf"(?P<start>{_NUMBER})(?:-(?P<end>{_NUMBER}))?(?:@(?P<low>{_NUMBER})-(?P<high>{_NUMBER})|#(?P<steps>[\d-]+))?"
)
_STEPS = re.compile(r"(?P<first>\d{1,4})(?P<range>-(?P<last>\d{1,4})?)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A guidance scale over a run; `str` gives the words that `parse` takes.

    start, end: the scale where it begins to act and where it ends, in the order of sampling, even steps between.
    levels: the noise levels, low and high, that it acts at; steps: the sampler steps; not both; None for all.
    Raises InvalidInput where a value breaks a rule.
    """

    start: float
    end: float
    levels: tuple[float, float] | None = None
    steps: Steps | None = None

    def __post_init__(self) -> None:
        for value in (self.start, self.end):
            if not (math.isfinite(value) and value >= 0):
                raise invalid(
                    f"scale {value}", "a guidance scale is a number of at least 0", "use 1 for none, 6 for much"
                )
        if self.levels is not None and self.steps is not None:
            raise invalid(f"scale {self.start}", "acts at noise levels or in steps, not both", _EXAMPLE)
        if self.levels is not None and not 0 <= self.levels[0] < self.levels[1] <= 1:
            low, high = self.levels
            raise invalid(f"levels {low}-{high}", "are within [0, 1], the lower first", "use 0.2-0.8")
        if self.steps is not None:
            check_steps(self.steps, name="steps")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The schedule that `SCALE[-SCALE][@SIGMA-SIGMA|#STEPS]` means. Raises InvalidInput."""
        match = _WORD.fullmatch(text.strip())
        if match is None:
            raise invalid(f"scale {text!r}", f"is not {SYNTAX}", _EXAMPLE)
        steps = None if match["steps"] is None else parse_steps(match["steps"], name=f"scale {text!r}")
        levels = None if match["low"] is None else (float(match["low"]), float(match["high"]))
        start = float(match["start"])
        return cls(start=start, end=start if match["end"] is None else float(match["end"]), levels=levels, steps=steps)

    @classmethod
    def of(cls, given: Any) -> Self:
        """A schedule, a number, or the text of one. Raises InvalidInput on anything else."""
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls.parse(given)
        if isinstance(given, bool) or not isinstance(given, (int, float)):
            raise invalid(f"scale {given!r}", f"is neither a number nor {SYNTAX}", _EXAMPLE)
        return cls(start=float(given), end=float(given))

    @classmethod
    def named(cls, name: str, given: Any) -> Self:
        """As `of`; errors begin with the option's name."""
        try:
            return cls.of(given)
        except InvalidInput as error:
            raise InvalidInput(f"{name}: {error}") from None

    def __str__(self) -> str:
        part = "" if self.end == self.start else f"-{digits(self.end)}"
        if self.levels is not None:
            part += "@" + "-".join(map(digits, self.levels))
        if self.steps is not None:
            part += f"#{format_steps(self.steps)}"
        return digits(self.start) + part

    @property
    def is_constant(self) -> bool:
        """Whether it is one number all the time."""
        return self.start == self.end and self.levels is None and self.steps is None

    @property
    def is_off(self) -> bool:
        """Whether it guides nothing, whenever."""
        return self.start == NONE == self.end

    @property
    def plain(self) -> float | str:
        """The number where it is one, else the words: JSON-ready, and what `of` takes back."""
        return self.start if self.is_constant else str(self)

    def over(self, sigmas: Float[Tensor, " n"]) -> Scale:
        """The scale at the noise levels of a run over this falling grid; `NONE` where it does not act.

        Between the grid's levels, where second-order samplers look too, steps count by their fractions.
        """
        grid = sigmas.double().tolist()
        if self.is_constant:
            return lambda _sigma: self.start
        low, high = self._acts(grid)
        first, last = _position(high, grid), min(_position(low, grid), len(grid) - 2)

        def scale(sigma: float) -> float:
            if not low <= sigma <= high:
                return NONE
            share = (_position(sigma, grid) - first) / (last - first) if last > first else 0.0
            return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

        return scale

    def check_steps_within(self, num_steps: int, *, name: str) -> None:
        """Raises InvalidInput where it would begin or end in a step that the sampler does not take."""
        if self.steps is not None:
            check_steps(self.steps, name=f"{name} {self} in steps", num_steps=num_steps)

    def _acts(self, grid: Sequence[float]) -> tuple[float, float]:
        """The lowest and the highest noise level that it acts at; a step has the level that it starts from."""
        if self.levels is not None:
            return self.levels
        first, last = self.steps or (1, None)
        last = len(grid) - 1 if last is None else last
        return (grid[last - 1] if self.steps else 0.0), grid[first - 1]


def parse_steps(text: str, *, name: str) -> Steps:
    """The sampler steps that "3-20", "3-" or "3" mean. Raises InvalidInput, which calls them by `name`."""
    match = _STEPS.fullmatch(text)
    if match is None:
        raise invalid(name, f"{text!r} names no steps", "write them like 1-10, 11- or 5")
    first = int(match["first"])
    if match["range"] is None:
        return first, first
    return first, None if match["last"] is None else int(match["last"])


def format_steps(steps: Steps) -> str:
    """What `parse_steps` takes back."""
    first, last = steps
    return str(first) if first == last else f"{first}-{'' if last is None else last}"


def check_steps(steps: Steps, *, name: str, num_steps: int | None = None) -> None:
    """Raises InvalidInput unless steps are counted from 1, in order, and are steps of a sampler of so many."""
    first, last = steps
    if first < 1 or (last is not None and last < first):
        raise invalid(f"{name} {format_steps(steps)}", "are counted from 1, the first before the last", "use 1-10")
    if num_steps is not None and max(first, last or 1) > num_steps:
        raise invalid(f"{name} {format_steps(steps)}", f"the sampler takes {num_steps} steps", "name steps within them")


def _position(sigma: float, grid: Sequence[float]) -> float:
    """Where a level lies in a falling grid, in steps from its beginning."""
    return float(np.interp(-sigma, [-level for level in grid], range(len(grid))))


def digits(value: float) -> str:
    """The shortest digits that mean this number, without an exponent."""
    return format(Decimal(repr(value)).normalize(), "f")
