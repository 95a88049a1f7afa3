"""What an executor is: whatever passes sources through a plan and tells of each clip and each source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from muybridge.curation.engine.journal import State
from muybridge.curation.engine.plan import Plan
from muybridge.curation.sources.item import SourceItem


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipWritten:
    """A clip has passed every stage."""

    uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """A source's record is in the folder. `seconds`: what each stage took."""

    item: SourceItem
    state: State
    num_clips: int
    seconds: Mapping[str, float] = field(default_factory=dict)
    reason: str | None = None


Event = ClipWritten | Outcome


class Executor(Protocol):
    """Runs a plan. However it does so, the folder is the same to the byte."""

    @property
    def num_workers(self) -> int:
        """Clips that are worked on at a time."""
        ...

    def run(self, plan: Plan, items: Sequence[SourceItem], *, sampled: frozenset[str]) -> Iterator[Event]:
        """Bring every item's record into the plan's folder, in any order. The plan is prepared already.

        sampled: ids of the sources whose first clip is kept at each stage. A source that fails, hangs or takes too much
        is tried once more alone, then put in quarantine. Raises RunFailed where it is not the source that is at fault.
        """
        ...
