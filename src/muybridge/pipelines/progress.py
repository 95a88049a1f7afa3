"""What a long call tells its caller."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["text", "denoise", "decode"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` of `total` units of a stage: prompts encoded, sampler steps over all films, films decoded."""

    stage: Stage
    done: int
    total: int


OnProgress = Callable[[Progress], None]


class Counter:
    """Counts the units of each stage and reports them; a callback that raises stops the work."""

    def __init__(self, on_progress: OnProgress | None, totals: dict[Stage, int]) -> None:
        self._on_progress = on_progress
        self._totals = totals
        self._done: dict[Stage, int] = dict.fromkeys(totals, 0)

    def advance(self, stage: Stage, units: int = 1) -> None:
        """Count finished units; 0 announces a stage."""
        self._done[stage] += units
        if self._on_progress is not None:
            self._on_progress(Progress(stage=stage, done=self._done[stage], total=self._totals[stage]))
