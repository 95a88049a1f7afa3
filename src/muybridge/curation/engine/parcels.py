"""Sources as parcels of clips that travel from process to process: made, passed through stages, put together again.

Chunks, so that a film of hours never lies in memory as a whole. Nothing here starts a process (`ray_data` does).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from muybridge.core.errors import MediaError
from muybridge.curation.clip import Clip
from muybridge.curation.engine.executor import ClipWritten, Event, Outcome
from muybridge.curation.engine.journal import WORK, Journal
from muybridge.curation.engine.local import quarantine
from muybridge.curation.engine.one_source import ClipLost, Found, Watch, passed, record_of, split, written
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.samples import save_sample
from muybridge.curation.engine.worker import Refused, Task, refusal
from muybridge.curation.stage import Stage

CHUNK_CLIPS = 16
CHUNK_BYTES = 64 * 2**20  # of frames: what lies between two stages at a time

Done = TypeVar("Done")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parcel:
    """Some clips of a source on their way, and behind the writer their rows.

    number: of this parcel in its source, from 0. sampled: id of the clip that is kept as each stage got it.
    The last parcel says how the source ended: `damage` or that it was `refused`.
    """

    task: Task
    number: int
    is_last: bool
    clips: tuple[Clip, ...] = ()
    rows: tuple[Found, ...] = ()
    sampled: str | None = None
    lost: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    damage: str | None = None
    refused: Refused | None = None


def parcels_of(task: Task, plan: Plan, *, watch: Watch) -> Iterator[Parcel]:
    """The source's clips in their order, each in one parcel; whatever is raised is that source's end, not the run's."""
    number, held, damage, refused = 0, list[Clip](), None, None
    sampled: str | None = None
    try:
        for clip in split(task.item, plan, work=_work(task, plan), watch=watch):
            if isinstance(clip, MediaError):
                damage = str(clip)
                continue
            held.append(_for_travel(clip))
            if task.is_sampled and number == 0:
                sampled = sampled or clip.id
            if len(held) == CHUNK_CLIPS or sum(each.frames.nbytes for each in held) >= CHUNK_BYTES:
                yield Parcel(task=task, number=number, is_last=False, clips=tuple(held), sampled=sampled)
                number, held = number + 1, []
    except Exception as error:
        refused = refusal(error)
    yield Parcel(
        task=task, number=number, is_last=True, clips=tuple(held), sampled=sampled, seconds=watch.seconds,
        damage=damage, refused=refused,
    )  # fmt: skip


def through_stage(parcel: Parcel, stage: Stage, plan: Plan, *, watch: Watch) -> Parcel:
    """The parcel behind a stage, without the clips that are lost there."""
    work = _work(parcel.task, plan)

    def do(clip: Clip) -> Clip:
        after = passed(clip, stage, plan, watch=watch)
        if clip.id == parcel.sampled:
            save_sample(clip, after, stage, work)
        return _for_travel(after)

    return _passed_on(parcel, do, lambda clips: replace(parcel, clips=clips), watch=watch)


def through_writer(parcel: Parcel, plan: Plan, *, watch: Watch) -> Parcel:
    """The parcel with rows in place of its clips, whose files are in the source's work folder."""
    work = _work(parcel.task, plan)

    def do(clip: Clip) -> Found:
        return written(clip, plan, work=work, watch=watch)

    return _passed_on(parcel, do, lambda rows: replace(parcel, clips=(), rows=rows), watch=watch)


class Collector:
    """Puts sources together again from their parcels.

    `missing`: ids of those that are not whole yet. `failed`: those to be tried once more.
    """

    def __init__(self, plan: Plan, tasks: Sequence[Task]) -> None:
        self._plan = plan
        self._parcels: dict[str, dict[int, Parcel]] = {}
        self.missing = {task.item.id for task in tasks}
        self.failed: list[Task] = []

    def events(self, parcels: Iterable[Parcel]) -> Iterator[Event]:
        """As parcels, in any order, and whole sources arrive."""
        for parcel in parcels:
            yield from (ClipWritten(uri=parcel.task.item.uri) for _ in parcel.rows)
            arrived = self._parcels.setdefault(parcel.task.item.id, {})
            arrived[parcel.number] = parcel
            if any(each.is_last and len(arrived) == each.number + 1 for each in arrived.values()):
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
        Journal(self._plan.folder).commit(record, _work(task, self._plan))
        seconds: dict[str, float] = {}
        for parcel in ordered:
            for name, value in parcel.seconds.items():
                seconds[name] = seconds.get(name, 0.0) + value
        yield Outcome(item=task.item, state="done", num_clips=len(record.rows), seconds=seconds)


def _passed_on(
    parcel: Parcel, do: Callable[[Clip], Done], made_of: Callable[[tuple[Done, ...]], Parcel], *, watch: Watch
) -> Parcel:
    """The parcel of what is made of each clip. A lost clip costs itself; any other error is its source's end."""
    done, lost = list[Done](), list[str]()
    try:
        for clip in parcel.clips:
            try:
                done.append(do(clip))
            except ClipLost as error:
                lost.append(str(error))
        parcel = replace(made_of(tuple(done)), lost=(*parcel.lost, *lost))
    except Exception as error:
        parcel = replace(parcel, clips=(), refused=refusal(error))
    return replace(parcel, seconds=parcel.seconds | watch.seconds)


def _work(task: Task, plan: Plan) -> Path:
    """Where the source's files are made."""
    return plan.folder / WORK / task.item.id


def _for_travel(clip: Clip) -> Clip:
    return replace(clip, values=dict(clip.values))  # a mapping proxy cannot be pickled
