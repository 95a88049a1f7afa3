"""Running a plan over sources: what is done already is left, what cannot be done is accounted for."""

import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict

from muybridge.core.processes import alone_in
from muybridge.curation.engine.executor import Event, Executor, Outcome
from muybridge.curation.engine.figures import Figures, Summary, Tally, note_timing
from muybridge.curation.engine.journal import SUMMARY, TIMINGS, WORK, Journal, SourceRecord, Standing
from muybridge.curation.engine.plan import Plan
from muybridge.curation.sources.item import SourceItem

OnProgress = Callable[[int, int, Figures], None]  # (sources done, of how many in this run, how it goes)

PATIENCE_S = 3.0  # workers of a run that was killed die within milliseconds, unless the disk holds them

_log = logging.getLogger(__name__)


def run_stages(
    plan: Plan,
    items: Sequence[SourceItem],
    *,
    executor: Executor,
    on_progress: OnProgress | None = None,
    retries_quarantine: bool = False,
) -> Summary:
    """Bring every item's record and clips into the plan's folder, and say how it went.

    Items whose records are of this plan's versions are left as they are, so the same command continues an interrupted
    run; those of older versions are run anew. Raises InvalidInput where the folder belongs to other settings,
    RunFailed where another run has the folder or it cannot be written, AssetError, MissingExtra.
    """
    assert len({item.uri for item in items}) == len(items), "results of one uri would overwrite each other"
    plan.prepare()
    journal = Journal(plan.folder)
    with alone_in(plan.folder, patience_s=PATIENCE_S):
        journal.claim(plan)
        standing = journal.tidy()
        erased = journal.erased()
        allowed = [item for item in items if item.id not in erased]
        waiting = _waiting(allowed, standing, plan=plan, retries_quarantine=retries_quarantine)
        tally = Tally(num_sources=len(waiting), num_workers=executor.num_workers)
        runnable = sorted(item.id for item in allowed if item.problem is None)
        sampled = frozenset(runnable[: plan.num_samples])  # of all items, so that an interruption changes nothing
        for event in _events(plan, waiting, executor, sampled=sampled):
            tally.add(event)
            if isinstance(event, Outcome):
                note_timing(plan.folder / TIMINGS, event)
            if on_progress is not None:
                on_progress(len(tally.outcomes), len(waiting), tally.figures())
        if any(outcome.state == "quarantined" for outcome in tally.outcomes):
            journal.tidy()  # a worker may have died between its clips and its record
        summary = tally.summary(standing)
        journal.write_json(journal.folder / SUMMARY, asdict(summary), indent=1)
        shutil.rmtree(journal.folder / WORK, ignore_errors=True)
        return summary


def _waiting(
    items: Sequence[SourceItem], standing: Mapping[str, Standing], *, plan: Plan, retries_quarantine: bool
) -> list[SourceItem]:
    """Those without a record, and those whose record is of older versions or of another file."""
    found, num_older = [], 0
    for item in items:
        record = standing.get(item.id)
        if record is None or record.given != item.given or (retries_quarantine and record.state == "quarantined"):
            found.append(item)
        elif record.stage_version != plan.stage_version:
            found.append(item)
            num_older += 1
    if num_older:
        _log.warning("stage_version=%s: older=%d sources are run anew", plan.stage_version, num_older)
    return found


def _events(plan: Plan, items: Sequence[SourceItem], executor: Executor, *, sampled: frozenset[str]) -> Iterator[Event]:
    journal = Journal(plan.folder)
    for item in items:
        if item.problem is not None:
            record = SourceRecord.of(item, plan, state="skipped", reason=item.problem)
            journal.commit(record, journal.work_folder(item.id))
            yield Outcome(item=item, state="skipped", num_clips=0, reason=item.problem)
    if runnable := [item for item in items if item.problem is None]:
        yield from executor.run(plan, runnable, sampled=sampled)
