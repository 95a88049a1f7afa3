"""The same stages as a graph of Ray Data: sources, the splitter, each stage in actors of its own, the writer.

Clips travel between actors in chunks, so that a film of hours never lies in memory as a whole. The folder must be on a
disk that all nodes share. Below about a thousand clips `LocalExecutor` is faster (benchmarks/curation_engine.py).
"""

import logging
import signal
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from muybridge.core.env import quiet_ray
from muybridge.core.errors import MediaError, MissingExtra, RunFailed, invalid
from muybridge.curation.clip import Clip
from muybridge.curation.engine.executor import ClipWritten, Event, Outcome
from muybridge.curation.engine.journal import WORK, Journal
from muybridge.curation.engine.local import quarantine, run_alone
from muybridge.curation.engine.one_source import ClipLost, Found, Watch, passed, record_of, split, written
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.samples import save_sample
from muybridge.curation.engine.worker import Refused, Task, refusal, single_thread
from muybridge.curation.sources.item import SourceItem
from muybridge.curation.stage import Stage

try:
    import ray
    import ray.data
    import ray.exceptions
except ImportError:
    ray = None

CHUNK_CLIPS = 16
CHUNK_BYTES = 64 * 2**20  # of frames: what lies between two stages at a time
WRITER_CPUS = 0.25
MAX_BLOCKS = 4096  # sources beyond share a task

Done = TypeVar("Done")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RayDataExecutor:
    """Actors of a Ray cluster, or of this machine where none is joined: `num_workers` of each stage.

    cpu_share: of what each stage says that it takes; below 1 more of them fit. Actors hold their share for the whole
    run, and where they hold every CPU of the cluster Ray Data waits for ever (ray-project/ray#44687): this is refused.
    """

    num_workers: int = 1
    cpu_share: float = 1.0

    def __post_init__(self) -> None:
        if self.num_workers < 1 or not 0 < self.cpu_share <= 1:
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
            check_room(plan, self, cluster_cpus=ray.cluster_resources().get("CPU", 0.0))
            yield from self._until_done(plan, [Task(item=item, is_sampled=item.id in sampled) for item in items])
        finally:
            if not was_there:
                ray.shutdown()

    def _until_done(self, plan: Plan, tasks: Sequence[Task]) -> Iterator[Event]:
        """Graph after graph: where an actor dies, what was on its way is tried alone, the rest in a new graph."""
        assert ray is not None
        waiting, journal = list(tasks), Journal(plan.folder)
        while waiting:
            collector = _Collector(plan, waiting)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", DeprecationWarning)  # of max_restarts, which has no other name yet
                    data = self._graph(plan, waiting)
                yield from collector.events(data)
            except ray.exceptions.RayError as error:
                _log.warning("ray=%s: sources on their way are tried alone", type(error).__name__)
            left = [task for task in waiting if task.item.id in collector.missing]
            begun = [task for task in left if (journal.folder / WORK / task.item.id).exists()]
            if left and not begun:
                raise RunFailed("Ray: the actors cannot be started; see ray's own log in /tmp/ray.")
            yield from run_alone(plan, [*collector.failed, *begun])
            waiting = [task for task in left if task not in begun]

    def _graph(self, plan: Plan, tasks: Sequence[Task]) -> Any:
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
        data = data.flat_map(_Split, num_cpus=plan.splitter.resources.cpus * self.cpu_share, **given, **held)
        for place, stage in enumerate(plan.stages):
            cpus, gpus = stage.resources.cpus * self.cpu_share, stage.resources.gpus or None
            data = data.map(_Apply, num_cpus=cpus, num_gpus=gpus, fn_constructor_args=(plan, place), **held)
        return data.map(_Write, num_cpus=WRITER_CPUS * self.cpu_share, fn_constructor_args=(plan,), **held)


def check_room(plan: Plan, executor: RayDataExecutor, *, cluster_cpus: float) -> None:
    """Raises InvalidInput where the actors would hold all CPUs of the cluster."""
    whole = executor.num_workers * (sum(each.resources.cpus for each in (plan.splitter, *plan.stages)) + WRITER_CPUS)
    held = whole * executor.cpu_share
    if held < cluster_cpus:
        return
    share = int(90 * cluster_cpus / whole) / 100  # a tenth is left to those who read
    remedy = f"use cpu_share={share:g}" if share > 0 else "use fewer workers"
    rule = f"Ray Data waits for ever where actors hold all of the cluster's {cluster_cpus:g} CPUs"
    raise invalid(f"{len(plan.stages) + 2} kinds of actors holding {held:g} CPUs", rule, remedy)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parcel:
    """Some clips of a source on their way, and behind the writer their rows."""

    task: Task
    number: int  # of this parcel in its source, from 0
    is_last: bool
    clips: tuple[Clip, ...] = ()
    rows: tuple[Found, ...] = ()
    sampled: str | None = None  # id of the clip that is kept as each stage got it
    lost: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    damage: str | None = None
    refused: Refused | None = None


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

    def work(self, task: Task) -> Path:
        """Where the source's files are made."""
        return self.plan.folder / WORK / task.item.id


class _Split(_Actor):
    def __init__(self, plan: Plan, tasks: tuple[Task, ...]) -> None:
        super().__init__(plan)
        self.tasks = tasks
        plan.splitter.prepare()
        plan.splitter.setup()

    def __call__(self, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        task = self.tasks[int(row["number"])]
        Journal(self.plan.folder).work_folder(task.item.id)
        for parcel in self._parcels(task, self.watch()):
            self.rest()
            yield {"parcel": parcel}

    def _parcels(self, task: Task, watch: Watch) -> Iterator[_Parcel]:
        """Chunks of clips; the last parcel says how the source ended."""
        number, held, damage, refused = 0, list[Clip](), None, None
        sampled: str | None = None
        try:
            for clip in split(task.item, self.plan, work=self.work(task), watch=watch):
                if isinstance(clip, MediaError):
                    damage = str(clip)
                    continue
                held.append(_for_travel(clip))
                if task.is_sampled and number == 0:
                    sampled = sampled or clip.id
                if len(held) == CHUNK_CLIPS or sum(each.frames.nbytes for each in held) >= CHUNK_BYTES:
                    yield _Parcel(task=task, number=number, is_last=False, clips=tuple(held), sampled=sampled)
                    number, held = number + 1, []
        except Exception as error:  # that source's end, not the run's
            refused = refusal(error)
        yield _Parcel(
            task=task, number=number, is_last=True, clips=tuple(held), sampled=sampled, seconds=watch.seconds,
            damage=damage, refused=refused,
        )  # fmt: skip


class _OnParcels(_Actor, ABC):
    """Parcel in, parcel out; an error is its source's end, not the run's."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        parcel: _Parcel = row["parcel"]
        watch = self.watch()
        try:
            parcel = self.passed_on(parcel, watch)
        except Exception as error:
            parcel = replace(parcel, clips=(), refused=refusal(error))
        self.rest()
        return {"parcel": replace(parcel, seconds=parcel.seconds | watch.seconds)}

    @abstractmethod
    def passed_on(self, parcel: _Parcel, watch: Watch) -> _Parcel:
        """What becomes of it here."""


def _unless_lost(clips: Sequence[Clip], do: Callable[[Clip], Done]) -> tuple[tuple[Done, ...], tuple[str, ...]]:
    """(what is made of clips, what is said of those that are lost)."""
    done, lost = list[Done](), list[str]()
    for clip in clips:
        try:
            done.append(do(clip))
        except ClipLost as error:
            lost.append(str(error))
    return tuple(done), tuple(lost)


class _Apply(_OnParcels):
    def __init__(self, plan: Plan, place: int) -> None:
        super().__init__(plan)
        self.stage: Stage = plan.stages[place]
        self.stage.prepare()
        self.stage.setup()

    def passed_on(self, parcel: _Parcel, watch: Watch) -> _Parcel:
        def do(clip: Clip) -> Clip:
            after = passed(clip, self.stage, self.plan, watch=watch)
            if clip.id == parcel.sampled:
                save_sample(clip, after, self.stage, self.work(parcel.task))
            return _for_travel(after)

        clips, lost = _unless_lost(parcel.clips, do)
        return replace(parcel, clips=clips, lost=parcel.lost + lost)


class _Write(_OnParcels):
    def passed_on(self, parcel: _Parcel, watch: Watch) -> _Parcel:
        work = self.work(parcel.task)
        rows, lost = _unless_lost(parcel.clips, lambda clip: written(clip, self.plan, work=work, watch=watch))
        return replace(parcel, clips=(), rows=rows, lost=parcel.lost + lost)


def _for_travel(clip: Clip) -> Clip:
    return replace(clip, values=dict(clip.values))  # a mapping proxy cannot be pickled


class _Collector:
    """Puts sources together again from their parcels.

    `missing`: ids of those that are not whole yet. `failed`: those to be tried once more.
    """

    def __init__(self, plan: Plan, tasks: Sequence[Task]) -> None:
        self._plan = plan
        self._parcels: dict[str, dict[int, _Parcel]] = {}
        self.missing = {task.item.id for task in tasks}
        self.failed: list[Task] = []

    def events(self, data: Any) -> Iterator[Event]:
        """As parcels and whole sources arrive."""
        for row in data.iter_rows():
            parcel: _Parcel = row["parcel"]
            yield from (ClipWritten(uri=parcel.task.item.uri) for _ in parcel.rows)
            parcels = self._parcels.setdefault(parcel.task.item.id, {})
            parcels[parcel.number] = parcel
            if any(each.is_last and len(parcels) == each.number + 1 for each in parcels.values()):
                yield from self._whole(parcel.task)

    def _whole(self, task: Task) -> Iterator[Event]:
        parcels = self._parcels.pop(task.item.id)
        ordered = [parcels[number] for number in sorted(parcels)]
        self.missing.discard(task.item.id)
        refused = next((each.refused for each in ordered if each.refused is not None), None)
        if refused is not None and not refused.is_certain:
            self.failed.append(task)
            return
        if refused is not None:
            yield quarantine(task.item, self._plan, refused.reason)
            return
        found = [pair for each in ordered for pair in each.rows]
        lost = [each for parcel in ordered for each in parcel.lost]
        record = record_of(task.item, self._plan, found, lost=lost, damage=ordered[-1].damage)
        Journal(self._plan.folder).commit(record, self._plan.folder / WORK / task.item.id)
        seconds: dict[str, float] = {}
        for parcel in ordered:
            for name, value in parcel.seconds.items():
                seconds[name] = seconds.get(name, 0.0) + value
        yield Outcome(item=task.item, state="done", num_clips=len(record.rows), seconds=seconds)
