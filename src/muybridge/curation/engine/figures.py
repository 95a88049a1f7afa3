"""How a run goes: what is told while it runs, and the summary at its end. Clocks, so never among equal bytes."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from muybridge.curation.engine.executor import Event, Outcome
from muybridge.curation.engine.journal import Standing


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """Where a run stands. `busy`: by stage, the share of the workers' time so far that went into it."""

    num_sources: int
    num_clips: int
    num_quarantined: int
    num_queued: int
    clips_per_s: float
    busy: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """A run that has ended, in numbers; `stages` has seconds and busy share by stage, the busiest first.

    num_clips, num_done, num_quarantined and num_skipped are of the whole folder, the rest of this run alone.
    """

    num_done: int
    num_quarantined: int
    num_skipped: int
    num_clips: int
    num_sources_now: int
    num_clips_now: int
    num_workers: int
    seconds: float
    clips_per_s: float
    stages: Mapping[str, Mapping[str, float]]


class Tally:
    """Counts the events of a run."""

    def __init__(self, *, num_sources: int, num_workers: int) -> None:
        self.num_workers = num_workers
        self.outcomes: list[Outcome] = []
        self._num_sources = num_sources
        self._seconds: Counter[str] = Counter()
        self._num_clips = 0
        self._start = time.monotonic()

    def add(self, event: Event) -> None:
        """Count one."""
        if not isinstance(event, Outcome):
            self._num_clips += 1
            return
        self.outcomes.append(event)
        self._seconds.update(event.seconds)

    def figures(self) -> Figures:
        """As of now."""
        elapsed_s = self._elapsed_s()
        return Figures(
            num_sources=self._num_sources,
            num_clips=self._num_clips,
            num_quarantined=sum(each.state == "quarantined" for each in self.outcomes),
            num_queued=max(0, self._num_sources - len(self.outcomes) - self.num_workers),
            clips_per_s=self._num_clips / elapsed_s,
            busy={name: seconds / elapsed_s / self.num_workers for name, seconds in self._seconds.items()},
        )

    def summary(self, before: Mapping[str, Standing]) -> Summary:
        """At the end; before: what was in the folder at the start."""
        now = {name: (each.state, each.num_clips) for name, each in before.items()}
        now.update({each.item.id: (each.state, each.num_clips) for each in self.outcomes})
        states = Counter(state for state, _ in now.values())
        elapsed_s = self._elapsed_s()
        worked_s = elapsed_s * self.num_workers
        num_clips_now = sum(each.num_clips for each in self.outcomes)
        return Summary(
            num_done=states["done"],
            num_quarantined=states["quarantined"],
            num_skipped=states["skipped"],
            num_clips=sum(num_clips for _, num_clips in now.values()),
            num_sources_now=len(self.outcomes),
            num_clips_now=num_clips_now,
            num_workers=self.num_workers,
            seconds=round(elapsed_s, 3),
            clips_per_s=round(num_clips_now / elapsed_s, 3),
            stages={
                name: {
                    "seconds": round(seconds, 3),
                    "busy_percent": round(100 * seconds / worked_s, 1),
                }
                for name, seconds in self._seconds.most_common()
            },
        )

    def _elapsed_s(self) -> float:
        return max(time.monotonic() - self._start, 1e-6)


def note_timing(path: Path, outcome: Outcome) -> None:
    """Append what a source took; a line that a kill cut short is for readers to pass over."""
    seconds = {name: round(value, 4) for name, value in outcome.seconds.items()}
    line = json.dumps({"source": outcome.item.id, "clips": outcome.num_clips, "seconds": seconds})
    with path.open("a") as file:
        file.write(f"{line}\n")
