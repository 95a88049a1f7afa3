import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pytest

from muybridge.captioning.captioner import CaptionResult, ClipView
from muybridge.captioning.run import CaptionJob, caption_clips
from muybridge.captioning.store import CaptionStore, caption_columns
from muybridge.captioning.tags import TagCaptioner
from muybridge.core.errors import MediaError, RunFailed
from tests.captioning.examples import HORSE, view


@dataclass
class Scripted:
    """A captioner that fails on the clips it is told to, and remembers what it saw."""

    failing: dict[str, Exception] = field(default_factory=dict)
    identity: str = "scripted-1"
    name: str = "scripted"
    pause_s: float = 0.0
    log: Path | None = None
    seen: list[list[str]] = field(default_factory=list)
    num_prepared: int = 0

    def prepare(self) -> None:
        self.num_prepared += 1

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        self.seen.append([one.id for one in views])
        time.sleep(self.pause_s)
        for one in views:
            if one.id in self.failing:
                raise self.failing[one.id]
            if self.log:
                with self.log.open("a") as file:
                    file.write(f"{one.id}\n")
        return [CaptionResult(caption=replace(HORSE, short=f"Clip {one.id}."), num_tokens=5) for one in views]


def jobs(*names):
    return [CaptionJob(id=name, view=lambda name=name: view(name)) for name in names]


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_writes_every_clip_and_a_rerun_nothing(tmp_path):
    captioner, calls = Scripted(), []
    store = CaptionStore(tmp_path, captioner)
    done = caption_clips(
        jobs("a", "b", "c"), captioner, store, batch_size=2, on_progress=lambda *each: calls.append(each)
    )
    assert (done.num_clips, done.num_before, done.num_failed, done.num_tokens) == (3, 0, 0, 15)
    assert captioner.seen == [["a", "b"], ["c"]] and calls == [(2, 3), (3, 3)]
    before = files(tmp_path)
    again = caption_clips(jobs("a", "b", "c"), captioner, store)
    assert (again.num_before, again.num_tokens) == (3, 0) and len(captioner.seen) == 2 and captioner.num_prepared == 1
    assert files(tmp_path) == before


def test_another_captioner_or_version_has_its_own_captions(tmp_path):
    first, second = Scripted(), Scripted(identity="scripted-2")
    caption_clips(jobs("a"), first, CaptionStore(tmp_path, first))
    assert CaptionStore(tmp_path, second).read("a") is None


def test_clips_that_fail_are_set_aside_and_spoil_no_others(tmp_path):
    def damaged():
        raise MediaError("b.mp4: is damaged; leave it out.")

    captioner = Scripted({"c": ValueError("no\nsense")})
    store = CaptionStore(tmp_path, captioner)
    every = [*jobs("a"), CaptionJob(id="b", view=damaged), *jobs("c", "d")]
    done = caption_clips(every, captioner, store)
    assert done.num_failed == 2
    problems = {name: record.problem for name in "abcd" if (record := store.read(name))}
    assert problems == {"a": None, "b": "b.mp4: is damaged; leave it out.", "c": "no", "d": None}
    num_calls = len(captioner.seen)
    assert caption_clips(every, captioner, store).num_before == 4 and len(captioner.seen) == num_calls
    captioner.failing.clear()
    assert caption_clips(every, captioner, store, is_retrying=True).num_failed == 1


def test_what_keeps_all_clips_from_captions_stops_the_run_and_keeps_the_finished(tmp_path):
    captioner = Scripted({"c": RunFailed("the server is down; start it.")})
    store = CaptionStore(tmp_path, captioner)
    with pytest.raises(RunFailed, match="server is down"):
        caption_clips(jobs("a", "b", "c"), captioner, store, batch_size=2)
    captioner.failing.clear()
    assert caption_clips(jobs("a", "b", "c"), captioner, store).num_before == 2


def test_two_processes_caption_each_clip_once(tmp_path):
    names = [f"clip-{number}" for number in range(12)]

    def work(order: int) -> None:
        captioner = Scripted(pause_s=0.01, log=tmp_path / "log.txt")
        caption_clips(jobs(*names[::order]), captioner, CaptionStore(tmp_path / "store", captioner), batch_size=5)

    forks = multiprocessing.get_context("fork")
    processes = [forks.Process(target=work, args=(order,)) for order in (1, -1, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert sorted((tmp_path / "log.txt").read_text().split()) == sorted(names)
    store = CaptionStore(tmp_path / "store", Scripted())
    assert all(store.read(name) for name in names)


def test_damaged_records_are_made_again(tmp_path):
    captioner = Scripted()
    store = CaptionStore(tmp_path, captioner)
    caption_clips(jobs("a"), captioner, store)
    (path,) = tmp_path.rglob("a.json")
    path.write_text(path.read_text()[:40])
    assert caption_clips(jobs("a"), captioner, store).num_before == 0


def test_any_text_is_an_id_and_stays_in_the_folder(tmp_path):
    captioner = Scripted()
    store = CaptionStore(tmp_path / "store", captioner)
    names = ("../../out", "a/b", "a\nb", "x" * 300, "a-b", "a b")
    caption_clips(jobs(*names), captioner, store)
    records = [store.read(name) for name in names]
    assert [record and record.id for record in records] == list(names)
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_private_data_is_redacted_before_it_is_kept(tmp_path):
    class Leaky(Scripted):
        def caption(self, views):
            return [CaptionResult(caption=replace(HORSE, dense="Write to jane.doe@example.com now.")) for _ in views]

    captioner = Leaky()
    store = CaptionStore(tmp_path, captioner)
    caption_clips(jobs("a"), captioner, store)
    record = store.read("a")
    assert record and record.caption and record.caption.dense == "Write to [email] now."


def test_a_record_becomes_columns_of_the_manifest(tmp_path):
    captioner = Scripted()
    store = CaptionStore(tmp_path, captioner)
    caption_clips(jobs("a"), captioner, store)
    record = store.read("a")
    assert record
    columns = caption_columns(record, num_captions=3)
    assert columns["caption"] == "Clip a." == columns["captions"][0] and len(columns["captions"]) == 3
    assert columns["caption_by"] == "scripted" and columns["camera"] == "pan right"
    none = caption_columns(replace(record, caption=None, problem="x"))
    assert none.keys() == columns.keys() and none["caption"] is None and none["captions"] == []


def test_tags_caption_without_any_model(tmp_path):
    captioner = TagCaptioner()
    store = CaptionStore(tmp_path, captioner)
    assert caption_clips(jobs("a"), captioner, store).num_failed == 0
    record = store.read("a")
    assert record and record.caption and asdict(record.caption)["short"]
