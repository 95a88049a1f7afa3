"""One source through the splitter and every stage, clip by clip, into a work folder."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.error import FFmpegError

from muybridge.core.errors import MediaError
from muybridge.core.files import sha256
from muybridge.curation.clip import Clip, SourceFile
from muybridge.curation.engine.clip_files import evened, place_of, write_clip
from muybridge.curation.engine.journal import SourceRecord
from muybridge.curation.engine.plan import Plan
from muybridge.curation.engine.rows import Row, row_of
from muybridge.curation.engine.samples import save_sample
from muybridge.curation.sources.fetch import on_this_machine
from muybridge.curation.sources.item import SourceItem

WRITING = "writing"  # named beside the stages where time is told
FETCHING = "fetching"
SLOWEST_BYTES_PER_S = 1_000  # of film: what a header says to be longer than its bytes allow is not believed
USUAL_BYTES_PER_S = 100_000  # where a header says nothing

Tell = Callable[[str, float], None]  # (what is begun, seconds that it may take)


class Watch:
    """Says what is begun before it is begun, and adds up how long each kind took."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self.seconds: dict[str, float] = {}

    @contextmanager
    def doing(self, name: str, *, limit_s: float) -> Iterator[None]:
        """Around one step."""
        self._tell(name, limit_s)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


def run_source(item: SourceItem, plan: Plan, *, work: Path, watch: Watch, is_sampled: bool) -> SourceRecord:
    """The item's record, with the files that belong to it in `work` under the names that they will have.

    Raises MediaError where the source gives no clip because it cannot be read, and whatever a stage raises.
    """
    rows: list[Row] = []
    notes: list[str] = []
    damage: str | None = None
    with watch.doing(FETCHING, limit_s=plan.limits.of((item.num_bytes or 0) / USUAL_BYTES_PER_S)):
        source = on_this_machine(item, work / "fetched")
    try:
        limit_s = plan.limits.of(length_s(source.path))
        for clip in split(source, plan, watch=watch, limit_s=limit_s):
            row, found = finish(clip, plan, work=work, watch=watch, is_sampled=is_sampled and not rows)
            rows.append(row)
            notes += found
    except DamagedAfter as error:
        if not rows:
            raise MediaError(str(error)) from None
        damage = str(error)
    if item.is_remote:
        source.path.unlink()
    rows.sort(key=lambda row: (row["start_s"], row["id"]))
    return SourceRecord.of(item, plan, state="done", rows=tuple(rows), notes=tuple(sorted(notes)), damage=damage)


class DamagedAfter(MediaError):
    """A source that cannot be read from some point on."""


def split(source: SourceFile, plan: Plan, *, watch: Watch, limit_s: float) -> Iterator[Clip]:
    """The source's clips. Raises DamagedAfter after those before the damage."""
    clips = plan.splitter.clips(source)
    while True:
        with watch.doing(plan.splitter.name, limit_s=limit_s):
            try:
                clip = next(clips, None)
            except MediaError as error:
                said = str(error).replace(str(source.path), source.uri)  # equal wherever the footage lies
                raise DamagedAfter(said) from None
        if clip is None:
            return
        yield clip


def finish(clip: Clip, plan: Plan, *, work: Path, watch: Watch, is_sampled: bool) -> tuple[Row, list[str]]:
    """Every stage on a clip, and its file: its row and what was not a number in it."""
    limit_s = plan.limits.of(clip.end_s - clip.start_s)
    for stage in plan.stages:
        with watch.doing(stage.name, limit_s=limit_s):
            after = stage.process(clip)
        if is_sampled:
            save_sample(clip, after, stage, work)
        clip = after
    with watch.doing(WRITING, limit_s=limit_s):
        return written(clip, plan, work=work)


def written(clip: Clip, plan: Plan, *, work: Path) -> tuple[Row, list[str]]:
    """The clip's file, its row, and what was not a number in it."""
    clip = evened(clip)
    place = place_of(clip)
    write_clip(clip, work / place, crf=plan.crf)
    return row_of(clip, plan, place=place, sha256=sha256(work / place))


def length_s(path: Path) -> float:
    """About how long a film or picture is, for limits alone: never more than its bytes can hold."""
    num_bytes = path.stat().st_size
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if container.duration:
                return min(container.duration / 1e6, num_bytes / SLOWEST_BYTES_PER_S)
    except (FFmpegError, ValueError):
        pass  # the splitter says what is wrong with it
    return num_bytes / USUAL_BYTES_PER_S
