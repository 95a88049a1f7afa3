"""The same stages as a graph of Ray Data: sources, the splitter, each stage in actors of its own, the writer.

Clips travel between actors in parcels (`parcels`). The folder must be on a disk that all nodes share.
Below about a thousand clips `LocalExecutor` is faster (benchmarks/curation_engine.py).
"""

import logging
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from muybridge.core.env import quiet_ray
from muybridge.core.errors import MissingExtra, RunFailed, invalid
from muybridge.curation.engine.executor import Event
from muybridge.curation.engine.journal import WORK, Journal
from muybridge.curation.engine.local import run_alone
from muybridge.curation.engine.one_source import Watch
from muybridge.curation.engine.parcels import CHUNK_BYTES, Collector, parcels_of, through_stage, through_writer
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.worker import Task, single_thread
from muybridge.curation.sources.item import SourceItem
from muybridge.curation.stage import Stage

try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError:
    ray = None

WRITER_CPUS = 0.25
MAX_BLOCKS = 4096  # sources beyond share a task

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RayDataExecutor:
    """Actors of a Ray cluster, or of this machine where none is joined: `num_workers` of each stage.

    cpu_share: of what each stage says that it takes; None for as much as leaves a tenth of the cluster. Actors hold
    their share for the whole run, and where they hold every CPU Ray Data waits for ever (ray-project/ray#44687): this
    is refused.
    """

    num_workers: int = 1
    cpu_share: float | None = None

    def __post_init__(self) -> None:
        if self.num_workers < 1 or not 0 < (self.cpu_share or 1) <= 1:
            given = f"num_workers={self.num_workers}, cpu_share={self.cpu_share}"
            raise invalid(given, "are at least 1, and above 0 up to 1", "use 1 and 0.25")

    def run(self, plan: Plan, items: Sequence[SourceItem], *, sampled: frozenset[str]) -> Iterator[Event]:
        """As of `Executor`. Raises MissingExtra without Ray, InvalidInput where the cluster has too few CPUs."""
        if ray is None:
            raise MissingExtra("RayDataExecutor: needs Ray; run pip install 'muybridge[ray]'.")
        plan = replace(plan, folder=plan.folder.absolute())  # actors start elsewhere
        was_there = ray.is_initialized()
        if not was_there:
            quiet_ray()
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
        try:
            share = share_of(plan, self, cluster_cpus=ray.cluster_resources().get("CPU", 0.0))
            tasks = [Task(item=item, is_sampled=item.id in sampled) for item in items]
            yield from self._until_done(plan, tasks, cpu_share=share)
        finally:
            if not was_there:
                ray.shutdown()

    def _until_done(self, plan: Plan, tasks: Sequence[Task], *, cpu_share: float) -> Iterator[Event]:
        """Graph after graph: where an actor dies, what was on its way is tried alone, the rest in a new graph."""
        assert ray is not None
        waiting, journal = list(tasks), Journal(plan.folder)
        while waiting:
            collector = Collector(plan, waiting)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of max_restarts, which has no other name yet
                    data = self._graph(plan, waiting, cpu_share=cpu_share)
                yield from collector.events(row["parcel"] for row in data.iter_rows())
            except ray.exceptions.RayError as error:
                _log.warning("ray=%s: sources on their way are tried alone", type(error).__name__)
            left = [task for task in waiting if task.item.id in collector.missing]
            begun = [task for task in left if (journal.folder / WORK / task.item.id).exists()]
            if left and not begun:
                raise RunFailed("Ray: the actors cannot be started; see ray's own log in /tmp/ray.")
            yield from run_alone(plan, [*collector.failed, *begun])
            waiting = [task for task in left if task not in begun]

    def _graph(self, plan: Plan, tasks: Sequence[Task], *, cpu_share: float) -> Any:
        """The lazily run data set of parcels that have passed everything."""
        assert ray is not None
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context.target_max_block_size = CHUNK_BYTES
        numbers = [{"number": number} for number in range(len(tasks))]
        pool = ray.data.ActorPoolStrategy(size=self.num_workers)
        held: dict[str, Any] = {"compute": pool, "max_restarts": 0}  # else Ray would run poison for ever
        given: dict[str, Any] = {"fn_constructor_args": (plan, tuple(tasks))}
        data: Any = ray.data.from_items(numbers, override_num_blocks=min(len(tasks), MAX_BLOCKS))
        data = data.flat_map(_Split, num_cpus=plan.splitter.resources.cpus * cpu_share, **given, **held)
        for place, stage in enumerate(plan.stages):
            cpus, gpus = stage.resources.cpus * cpu_share, stage.resources.gpus or None
            data = data.map(_Apply, num_cpus=cpus, num_gpus=gpus, fn_constructor_args=(plan, place), **held)
        return data.map(_Write, num_cpus=WRITER_CPUS * cpu_share, fn_constructor_args=(plan,), **held)


def share_of(plan: Plan, executor: RayDataExecutor, *, cluster_cpus: float) -> float:
    """The executor's `cpu_share`, or the one that fits. Raises InvalidInput where actors would hold all CPUs."""
    whole = executor.num_workers * (sum(each.resources.cpus for each in (plan.splitter, *plan.stages)) + WRITER_CPUS)
    most = int(90 * cluster_cpus / whole) / 100  # a tenth is left to those who read
    share = min(1.0, most) if executor.cpu_share is None else executor.cpu_share
    if 0 < share * whole < cluster_cpus:
        return share
    remedy = f"use cpu_share={most:g}" if most > 0 else "use fewer workers"
    rule = f"Ray Data waits for ever where actors hold all of the cluster's {cluster_cpus:g} CPUs"
    raise invalid(f"{len(plan.stages) + 2} kinds of actors holding {share * whole:g} CPUs", rule, remedy)


class _Actor:
    """One thread, and an alarm that ends the process where a step takes longer than it may."""

    def __init__(self, plan: Plan) -> None:
        single_thread()
        self.plan = plan

    def watch(self) -> Watch:
        """Arms the alarm at every step."""

        def arm(step: str, limit_s: float) -> None:
            signal.setitimer(signal.ITIMER_REAL, limit_s)

        return Watch(arm)

    def rest(self) -> None:
        """Nothing runs, so nothing can hang."""
        signal.setitimer(signal.ITIMER_REAL, 0)


class _Split(_Actor):
    def __init__(self, plan: Plan, tasks: tuple[Task, ...]) -> None:
        super().__init__(plan)
        self.tasks = tasks
        plan.splitter.prepare()
        plan.splitter.setup()

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        task = self.tasks[int(row["number"])]
        Journal(self.plan.folder).work_folder(task.item.id)
        for parcel in parcels_of(task, self.plan, watch=self.watch()):
            self.rest()
            yield {"parcel": parcel}


class _Apply(_Actor):
    def __init__(self, plan: Plan, place: int) -> None:
        super().__init__(plan)
        self.stage: Stage = plan.stages[place]
        self.stage.prepare()
        self.stage.setup()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        parcel = through_stage(row["parcel"], self.stage, self.plan, watch=self.watch())
        self.rest()
        return {"parcel": parcel}


class _Write(_Actor):
    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        parcel = through_writer(row["parcel"], self.plan, watch=self.watch())
        self.rest()
        return {"parcel": parcel}
