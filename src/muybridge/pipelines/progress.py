"""What a long call tells its caller."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from muybridge.media.frames import Frames

Stage = Literal["text", "denoise", "decode"]
Preview = Callable[[], Frames]


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """`done` of `total` units of a stage: prompts encoded, sampler steps over all films, films decoded.

    is_found: the last of them were not computed but found in a resume_dir, and say nothing of the time that is left.
    preview: after each sampler step, gives uint8 frames (t, h, w, 3), a quarter of the film's sides, of what the film
    will look like; nothing is computed unless it is called, which it must be before the next step.
    """

    stage: Stage
    done: int
    total: int
    is_found: bool = False
    preview: Preview | None = None


OnProgress = Callable[[Progress], None]


class Counter:
    """Counts the units of each stage and reports them; a callback that raises stops the work."""

    def __init__(self, on_progress: OnProgress | None, totals: dict[Stage, int]) -> None:
        self._on_progress = on_progress
        self._totals = totals
        self._done: dict[Stage, int] = dict.fromkeys(totals, 0)

    def advance(self, stage: Stage, units: int = 1, *, is_found: bool = False, preview: Preview | None = None) -> None:
        """Count finished units; 0 announces a stage."""
        self._done[stage] += units
        if self._on_progress is not None:
            done, total = self._done[stage], self._totals[stage]
            self._on_progress(Progress(stage=stage, done=done, total=total, is_found=is_found, preview=preview))
