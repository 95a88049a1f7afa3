"""One source through the splitter and every stage, clip by clip, into a work folder."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
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
from muybridge.curation.stage import Stage
from muybridge.media.probe import EmptyFile

WRITING = "writing"  # named beside the stages where time is told
FETCHING = "fetching"
FETCHED = "fetched"  # a folder within that of the work
SLOWEST_BYTES_PER_S = 1_000  # of film: what a header says to be longer than its bytes allow is not believed
USUAL_BYTES_PER_S = 100_000  # where a header says nothing
UNTOLD_BYTES = 100_000_000  # of a film elsewhere: an hour; what stands still is given up long before

Found = tuple[Row, list[str]]  # a clip's row, and what was not a number in it
Tell = Callable[[str, float], None]  # (what is begun, seconds that it may take)


class ClipLost(MediaError):
    """One clip cannot be measured or written. It says which; the others of its source may well be."""


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

    Raises MediaError where the source gives no clip because it cannot be read, and whatever else a stage raises.
    """
    found: list[Found] = []
    lost: list[str] = []
    damage: str | None = None
    for number, clip in enumerate(split(item, plan, work=work, watch=watch)):
        if isinstance(clip, MediaError):
            damage = str(clip)
            continue
        try:
            found.append(finish(clip, plan, work=work, watch=watch, is_sampled=is_sampled and number == 0))
        except ClipLost as error:
            lost.append(str(error))
    return record_of(item, plan, found, lost=lost, damage=damage)


def record_of(
    item: SourceItem, plan: Plan, found: Iterable[Found], *, lost: Iterable[str], damage: str | None
) -> SourceRecord:
    """The record of a source that has been read, from its clips' rows and notes, and those lost, in any order."""
    pairs = sorted(found, key=lambda each: (each[0]["start_s"], each[0]["id"]))
    told = {"notes": tuple(note for _, some in pairs for note in some), "lost": tuple(sorted(lost)), "damage": damage}
    return SourceRecord.of(item, plan, state="done", rows=tuple(row for row, _ in pairs), **told)


def split(item: SourceItem, plan: Plan, *, work: Path, watch: Watch) -> Iterator[Clip | MediaError]:
    """The item's clips, and where it is damaged behind them that error. Raises it where there is no clip before."""
    num_bytes = UNTOLD_BYTES if item.num_bytes is None and item.is_remote else item.num_bytes or 0
    with watch.doing(FETCHING, limit_s=plan.limits.of(num_bytes / USUAL_BYTES_PER_S)):
        source = on_this_machine(item, work / FETCHED)
        if not source.path.stat().st_size:
            raise EmptyFile(f"{item.uri}: holds no bytes; fetch it again.")
    limit_s = plan.limits.of(length_s(source.path))
    clips = plan.splitter.clips(source)
    has_clips = False
    while True:
        with watch.doing(plan.splitter.name, limit_s=limit_s):
            clip = _next(clips, source)
        if isinstance(clip, MediaError) and not has_clips:
            raise clip
        if clip is not None:
            yield clip
        if not isinstance(clip, Clip):
            break
        has_clips = True
    shutil.rmtree(work / FETCHED, ignore_errors=True)


def _next(clips: Iterator[Clip], source: SourceFile) -> Clip | MediaError | None:
    """The next clip, or the error that there is in its place."""
    try:
        return next(clips, None)
    except MediaError as error:
        return MediaError(str(error).replace(str(source.path), source.uri))  # equal wherever the footage lies


def finish(clip: Clip, plan: Plan, *, work: Path, watch: Watch, is_sampled: bool) -> Found:
    """Every stage on a clip, and its file. Raises ClipLost."""
    for stage in plan.stages:
        after = passed(clip, stage, plan, watch=watch)
        if is_sampled:
            save_sample(clip, after, stage, work)
        clip = after
    return written(clip, plan, work=work, watch=watch)


def passed(clip: Clip, stage: Stage, plan: Plan, *, watch: Watch) -> Clip:
    """The clip behind a stage. Raises ClipLost."""
    with _losing(clip, work=None), watch.doing(stage.name, limit_s=plan.limits.of(clip.end_s - clip.start_s)):
        return stage.process(clip)


def written(clip: Clip, plan: Plan, *, work: Path, watch: Watch) -> Found:
    """Write the clip's file. Raises ClipLost."""
    with _losing(clip, work=work), watch.doing(WRITING, limit_s=plan.limits.of(clip.end_s - clip.start_s)):
        clip = evened(clip)
        place = place_of(clip)
        write_clip(clip, work / place, qp=plan.qp)
        return row_of(clip, plan, place=place, sha256=sha256(work / place))


@contextmanager
def _losing(clip: Clip, *, work: Path | None) -> Iterator[None]:
    """MediaError as ClipLost, which names the stretch of the source instead of the file in `work`."""
    try:
        yield
    except MediaError as error:
        said = str(error) if work is None else str(error).removeprefix(f"{work / place_of(clip)}: ")
        raise ClipLost(f"{clip.origin.uri} from {clip.start_s:.2f} s to {clip.end_s:.2f} s: {said}") from None


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
