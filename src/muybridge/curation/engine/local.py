"""The stages in processes of this machine, each with one thread; what hangs, crashes or grows is ended and replaced."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from muybridge.core.errors import RunFailed, invalid
from muybridge.curation.engine.executor import ClipWritten, Event, Outcome
from muybridge.curation.engine.journal import Journal, SourceRecord
from muybridge.curation.engine.one_source import WRITING
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.worker import Begun, Finished, Refused, Task, Worker
from muybridge.curation.sources.item import SourceItem

POLL_S = 0.1  # how often workers are looked at: memory can grow by some 100 MiB meanwhile


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalExecutor:
    """`num_workers` processes of this machine, a source at a time each."""

    num_workers: int = 1

    def __post_init__(self) -> None:
        if self.num_workers < 1:
            raise invalid(f"num_workers={self.num_workers}", "someone must do the work", "use 1 or more")

    def run(self, plan: Plan, items: Sequence[SourceItem], *, sampled: frozenset[str]) -> Iterator[Event]:
        """As of `Executor`."""
        largest_first = sorted(items, key=lambda item: -(item.num_bytes or 0))  # so that none is left alone at the end
        tasks = [Task(item=item, is_sampled=item.id in sampled) for item in largest_first]
        again: list[Task] = []
        yield from _Pool(plan, tasks, self.num_workers, again=again).events()
        yield from run_alone(plan, again)


def run_alone(plan: Plan, tasks: Sequence[Task]) -> Iterator[Event]:
    """The last try of sources that failed: one after the other in a process of their own, then into quarantine."""
    yield from _Pool(plan, tasks, 1, again=None).events()


def quarantine(item: SourceItem, plan: Plan, reason: str) -> Outcome:
    """Write why a source is given up."""
    journal = Journal(plan.folder)
    record = SourceRecord.of(item, plan, state="quarantined", reason=reason)
    journal.commit(record, journal.work_folder(item.id))
    return Outcome(item=item, state="quarantined", num_clips=0, reason=reason)


class _Pool:
    """Workers over a list of tasks. Those that fail go to `again`, or without it into quarantine."""

    def __init__(self, plan: Plan, tasks: Sequence[Task], num_workers: int, *, again: list[Task] | None) -> None:
        self._plan, self._queue, self._again = plan, deque(tasks), again
        self._num_workers = min(num_workers, len(tasks))
        self._workers: dict[Connection, Worker] = {}

    def events(self) -> Iterator[Event]:
        """Until nothing is left to do; then, however it ends, no process is left."""
        looked_s = time.monotonic()
        try:
            for _ in range(self._num_workers):
                self._hire()
            while any(worker.task is not None for worker in self._workers.values()) or self._queue:
                for pipe in wait(list(self._workers), timeout=POLL_S):
                    assert isinstance(pipe, Connection)
                    yield from self._heard(self._workers[pipe])
                if time.monotonic() - looked_s >= POLL_S:
                    looked_s = time.monotonic()
                    yield from self._looked_after()
        finally:
            for worker in self._workers.values():
                worker.kill()
            for worker in self._workers.values():
                worker.end()

    def _looked_after(self) -> Iterator[Event]:
        """End the workers that take too much."""
        for worker in list(self._workers.values()):
            if trouble := worker.trouble():
                yield from self._lost(worker, trouble)

    def _hire(self) -> None:
        worker = Worker(self._plan)
        self._workers[worker.pipe] = worker

    def _heard(self, worker: Worker) -> Iterator[Event]:
        """One message of a worker."""
        try:
            message = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            yield from self._lost(worker, worker.epitaph())
            return
        if isinstance(message, Exception):
            raise message
        if isinstance(message, Begun):
            worker.begun(message)
            if message.step == WRITING and worker.task is not None:
                yield ClipWritten(uri=worker.task.item.uri)
            return
        task, worker.task = worker.task, None
        if self._queue:
            worker.give(self._queue.popleft(), limit_s=self._plan.limits.base_s)
        else:
            worker.begun(Begun(step="waiting", limit_s=float("inf")))
        if isinstance(message, Finished) and task is not None:
            yield Outcome(item=task.item, state="done", num_clips=message.num_clips, seconds=message.seconds)
        if isinstance(message, Refused) and task is not None:
            yield from self._failed(task, message)

    def _lost(self, worker: Worker, reason: str) -> Iterator[Event]:
        """A worker is gone, or must go: another takes its place."""
        worker.end()
        del self._workers[worker.pipe]
        if worker.task is None:
            raise RunFailed(f"a worker was lost ({reason}) while it had no source; use fewer workers.")
        if self._queue:
            self._hire()
        yield from self._failed(worker.task, Refused(reason=reason, is_certain=False))

    def _failed(self, task: Task, refused: Refused) -> Iterator[Event]:
        if self._again is not None and not refused.is_certain:
            self._again.append(task)
        else:
            yield quarantine(task.item, self._plan, refused.reason)
