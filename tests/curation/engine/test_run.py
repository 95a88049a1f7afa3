"""Laws of running a plan: equal folders however it is run, nothing done twice, nothing lost."""

import io
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.processes import alone_in
from muybridge.curation.clip import Clip, Value, source_id
from muybridge.curation.engine.journal import SUMMARY, TIMINGS, Journal
from muybridge.curation.engine.local import LocalExecutor
from muybridge.curation.engine.plan import Limits, Plan
from muybridge.curation.engine.run import run_stages
from muybridge.curation.even import EvenSplitter
from muybridge.curation.plain import Measurement
from muybridge.curation.sources.find import find_sources
from muybridge.curation.stage import Column
from tests.curation.engine.poison import Poisoned, digest, footage, plan, run

NAMES = ("a.mp4", "b.mp4", "deep/c.mp4", "d.png")


class Odd(Measurement):
    """Columns that are hard to keep."""

    name = "odd"
    outputs: Mapping[str, Column] = {"third": "float", "lost": "float", "box": "floats", "words": "texts"}

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        return {"third": np.float32(1 / 3), "lost": math.nan, "box": (1.0, 2e9 / 3), "words": ("a", "b")}  # type: ignore[dict-item]


class Renamed(Poisoned):
    """The same with another version."""

    version = 2


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return footage(tmp_path_factory.mktemp("films"), *NAMES)


@pytest.fixture(scope="module")
def whole(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one worker makes of them without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    told = []
    chosen, items = plan(folder, Poisoned(), num_samples=2), find_sources([str(films)])
    run_stages(chosen, items, executor=LocalExecutor(), on_progress=lambda *each: told.append(each))
    done, total, figures = told[-1]
    assert (done, total, figures.num_clips, figures.num_queued) == (4, 4, 10, 0)
    assert 0 < sum(figures.busy.values()) <= 1.01
    assert len((folder / TIMINGS).read_text().splitlines()) == 4
    return folder


@pytest.mark.parametrize("num_workers", [2, 4])
def test_every_worker_count_makes_the_same_bytes(films: Path, whole: Path, tmp_path: Path, num_workers: int):
    summary = run(films, plan(tmp_path, Poisoned(), num_samples=2), num_workers=num_workers)
    assert digest(tmp_path) == digest(whole)
    assert (summary.num_done, summary.num_clips) == (4, 10)
    assert {"even", "brightness", "poisoned", "writing"} <= summary.stages.keys()
    assert json.loads((tmp_path / SUMMARY).read_text())["num_clips_now"] == 10


def test_rows_have_every_column_and_name_their_clip(whole: Path):
    journal = Journal(whole)
    rows = list(journal.rows())
    assert all(row.keys() == journal.columns().keys() for row in rows)
    assert {(row["width"], row["height"]) for row in rows if not row["is_picture"]} == {(46, 32)} or len(rows) == 10
    with av.open(str(whole / str(rows[0]["clip"]))) as film:
        video = film.streams.video[0]
        assert (video.width, video.height) == (rows[0]["width"], rows[0]["height"])
    assert {row["source"] for row in rows} == {source_id(name) for name in NAMES}


def test_a_second_run_does_nothing_again(films: Path, whole: Path):
    before = digest(whole)
    summary = run(films, plan(whole, Poisoned(), num_samples=2))
    assert (summary.num_sources_now, summary.num_clips) == (0, 10)
    assert digest(whole) == before


def test_killed_at_any_point_the_same_command_continues(films: Path, whole: Path, tmp_path: Path):
    for num_events in (3, 7):
        _killed(films, tmp_path, _after(num_events))
    summary = run(films, plan(tmp_path, Poisoned(), num_samples=2), num_workers=2)
    assert digest(tmp_path) == digest(whole)
    assert summary.num_sources_now < 4  # what was done is not done again
    assert not [path for path in tmp_path.rglob(".*")]


@pytest.mark.slow
def test_twenty_kills_at_random_change_nothing(tmp_path: Path):
    films = footage(tmp_path / "films", *(f"{name}{number}.mp4" for name in "abcd" for number in range(4)))
    run(films, plan(tmp_path / "whole", Poisoned()))
    moments = random.Random(5)
    for _ in range(20):
        _killed(films, tmp_path / "out", None, after_s=moments.uniform(0.02, 0.4))
    run(films, plan(tmp_path / "out", Poisoned()), num_workers=2)
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")


def test_poison_is_put_in_quarantine_and_the_rest_is_done(tmp_path: Path):
    films = footage(tmp_path / "films", "crash.mp4", "fail.mp4", "grow.mp4", "hang.mp4", "z.mp4")
    now_bytes = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    limits = Limits(base_s=4.0, per_second=0.0, memory_bytes=now_bytes + 2**26)
    summary = run(films, plan(tmp_path / "out", Poisoned(), limits=limits), num_workers=2)
    records = {record.uri: record for record in Journal(tmp_path / "out").records()}
    assert (summary.num_done, summary.num_quarantined) == (1, 4)
    assert records["z.mp4"].state == "done"
    assert records["crash.mp4"].reason == "poisoned: the process died (SIGSEGV)"
    assert records["fail.mp4"].reason == "ZeroDivisionError: 0 / 0"
    assert "poisoned: took more than" in str(records["grow.mp4"].reason)
    assert records["hang.mp4"].reason == "poisoned: no end within 4 s"
    assert {row["uri"] for row in Journal(tmp_path / "out").rows()} == {"z.mp4"}


def test_broken_media_are_accounted_for_and_what_is_before_the_damage_is_kept(tmp_path: Path):
    films = footage(tmp_path / "films", "good.mkv", "picture.png")
    (films / "cut.mkv").write_bytes((films / "good.mkv").read_bytes()[:-9000])
    (films / "empty.mp4").write_bytes(b"")
    (films / "wrong.mp4").write_bytes((films / "picture.png").read_bytes())
    (films / "bomb.gif").write_bytes(b"GIF89a\xff\xff\xff\xff\xf7" + bytes(900))  # says that it has 4 billion pixels
    (films / "notes.txt").write_text("no film")
    summary = run(films, plan(tmp_path / "out"))
    records = {record.uri: record for record in Journal(tmp_path / "out").records()}
    assert {uri: record.state for uri, record in records.items()} == {
        "good.mkv": "done",
        "picture.png": "done",
        "cut.mkv": "done",
        "empty.mp4": "quarantined",
        "wrong.mp4": "quarantined",
        "bomb.gif": "quarantined",
        "notes.txt": "skipped",
    }
    assert 0 < len(records["cut.mkv"].rows) <= len(records["good.mkv"].rows)
    assert records["cut.mkv"].damage is not None and "cut.mkv" in records["cut.mkv"].damage
    assert str(tmp_path) not in records["cut.mkv"].damage
    assert (summary.num_skipped, summary.num_quarantined) == (1, 3)


class Narrowing(Measurement):
    """Leaves so little of the second clip of a source that it cannot be written."""

    name = "narrowing"

    def process(self, clip: Clip) -> Clip:
        return clip.cropped((0, 0, 1, 32)) if clip.start_s == 1 else clip


def test_a_clip_that_cannot_be_written_is_lost_alone_and_named(films: Path, tmp_path: Path):
    chosen = plan(tmp_path, Narrowing(), num_samples=1)
    run_stages(chosen, find_sources([str(films / "a.mp4")]), executor=LocalExecutor())
    (record,) = Journal(tmp_path).records()
    assert (record.state, [row["start_s"] for row in record.rows]) == ("done", [0.0, 2.0])
    (said,) = record.lost
    assert said.startswith("a.mp4 from 1.00 s to 2.00 s: frames of 1x32") and str(tmp_path) not in said


@pytest.mark.slow
def test_a_gif_of_100_000_frames_takes_no_more_memory_than_its_clips(tmp_path: Path):
    buffer = io.BytesIO()
    pictures = [Image.fromarray(np.full((16, 16), level, np.uint8)) for level in (0, 255)]
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=20, loop=0, optimize=False)
    one = buffer.getvalue()
    first = one.index(b"\x21\xf9")
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "long.gif").write_bytes(one[:first] + one[first:-1] * 50_000 + b";")
    now_bytes = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    limits = Limits(memory_bytes=now_bytes + 2**28)
    long_clips = Plan(
        splitter=EvenSplitter(seconds=60.0, side_px=16), stages=(), folder=tmp_path / "out", limits=limits
    )
    summary = run(tmp_path / "films", long_clips)
    assert (summary.num_quarantined, summary.num_clips) == (0, math.ceil(100_000 / 50 / 60))


def test_values_are_rounded_and_what_is_no_number_is_noted(films: Path, tmp_path: Path):
    run_stages(plan(tmp_path, Odd()), find_sources([str(films / "d.png")]), executor=LocalExecutor())
    (record,) = Journal(tmp_path).records()
    (row,) = record.rows
    assert (row["third"], row["lost"], row["box"], row["words"]) == (0.333333, None, (1.0, 666667000.0), ("a", "b"))
    assert record.notes == (f"{row['id']} lost: not a number",)


def test_other_settings_are_refused_by_name(films: Path, tmp_path: Path):
    items = find_sources([str(films / "d.png")])
    run_stages(plan(tmp_path), items, executor=LocalExecutor())
    for changed, said in ((plan(tmp_path, qp=30), "qp=30 for 19"), (plan(tmp_path, Poisoned()), "with poisoned")):
        with pytest.raises(InvalidInput, match=said):
            run_stages(changed, items, executor=LocalExecutor())


def test_a_folder_of_something_else_is_left_alone(films: Path, tmp_path: Path):
    (tmp_path / "clips" / "mine").mkdir(parents=True)
    (tmp_path / "clips" / "mine" / "holiday.mp4").write_bytes(b"film")
    with pytest.raises(InvalidInput, match="choose another folder"):
        run(films, plan(tmp_path))
    assert (tmp_path / "clips" / "mine" / "holiday.mp4").exists()


def test_another_version_runs_sources_anew_and_leaves_no_old_clip(films: Path, tmp_path: Path):
    items = find_sources([str(films / "d.png"), str(films / "a.mp4")])
    run_stages(plan(tmp_path, Poisoned()), items[:1], executor=LocalExecutor())
    run_stages(plan(tmp_path, Renamed()), items, executor=LocalExecutor())
    versions = {row["stage_version"] for row in Journal(tmp_path).rows()}
    assert versions == {plan(tmp_path, Renamed()).stage_version}
    assert run_stages(plan(tmp_path, Renamed()), items, executor=LocalExecutor()).num_sources_now == 0


def test_another_film_of_the_same_name_and_length_is_run_anew(tmp_path: Path):
    for level in (1, 2):
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.new("RGB", (40, 34), (level, 0, 0)).save(tmp_path / "in" / "a.png", compress_level=0)
        assert run(tmp_path / "in", plan(tmp_path / "out")).num_sources_now == 1
    shutil.copytree(tmp_path / "in", tmp_path / "moved", copy_function=shutil.copyfile)  # with other clocks
    assert run(tmp_path / "moved", plan(tmp_path / "out")).num_sources_now == 0


def test_one_run_at_a_time_has_a_folder(films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("muybridge.curation.engine.run.PATIENCE_S", 0.0)
    with alone_in(tmp_path), pytest.raises(RunFailed, match="another run"):
        run_stages(plan(tmp_path), find_sources([str(films)]), executor=LocalExecutor())


def _after(num_events: int) -> Callable[[object], bool]:
    seen = []

    def is_time(event: object) -> bool:
        seen.append(event)
        return len(seen) == num_events

    return is_time


def _killed(films: Path, folder: Path, is_time: Callable[[object], bool] | None, *, after_s: float = 0.0) -> None:
    """Run in a process that is ended by SIGKILL."""

    def work() -> None:
        def on_progress(done: int, total: int, figures: object) -> None:
            if is_time is not None and is_time(figures):
                os.kill(os.getpid(), signal.SIGKILL)

        chosen: Plan = plan(folder, Poisoned(), num_samples=2 if is_time is not None else 0)
        run_stages(chosen, find_sources([str(films)]), executor=LocalExecutor(num_workers=2), on_progress=on_progress)

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    if is_time is None:
        time.sleep(after_s)
        process.kill()
    process.join()
    assert process.exitcode in (-signal.SIGKILL, 0)
