"""Every reason for leaving an input out, and every note on one that is taken, has a tiny file that brings it about."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from muybridge.core.errors import InvalidInput
from muybridge.data.buckets import BucketsConfig
from muybridge.data.planning import DataConfig, Plan, plan
from muybridge.data.probes import ProbeCache
from muybridge.data.report import Note, Reason
from muybridge.data.sources import open_source
from tests.data.films import write_cut_film, write_film, write_gif, write_picture, write_sound

CONFIG = DataConfig(buckets=BucketsConfig(resolutions=((32, 32),), frames=(1, 5)), max_caption_words=100)


def planned(folder: Path, config: DataConfig = CONFIG, *, probes: ProbeCache | None = None) -> Plan:
    return plan(open_source(folder), config, probes=probes or ProbeCache(None))


def captioned(path: Path, caption: str | bytes = "a grey wall") -> Path:
    path.with_suffix(".txt").write_bytes(caption if isinstance(caption, bytes) else caption.encode())
    return path


def table(folder: Path, *rows: dict[str, str]) -> None:
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps({"caption": "a wall", **row}) for row in rows))


BRINGS_ABOUT: dict[Reason, Callable[[Path], object]] = {
    Reason.EMPTY_FILE: lambda folder: captioned(folder / "a.mp4").touch(),
    Reason.MISSING_FILE: lambda folder: table(folder, {"file_name": "a.mp4"}),
    Reason.DAMAGED: lambda folder: captioned(folder / "a.mp4").write_text("not a film at all"),
    Reason.CUT_SHORT: lambda folder: captioned(write_cut_film(folder / "a.mp4")),
    Reason.NO_VIDEO: lambda folder: captioned(write_sound(folder / "a.mp4")),
    Reason.TOO_SMALL: lambda folder: captioned(write_film(folder / "a.mp4", width=20, height=18)),
    Reason.TOO_SHORT: lambda folder: captioned(write_film(folder / "a.mp4", 4)),
    Reason.ODD_ASPECT: lambda folder: captioned(write_film(folder / "a.mp4", width=320, height=32)),
    Reason.NO_CAPTION: lambda folder: write_film(folder / "a.mp4"),
    Reason.EMPTY_CAPTION: lambda folder: captioned(write_film(folder / "a.mp4"), "  \n"),
    Reason.BINARY_CAPTION: lambda folder: captioned(write_film(folder / "a.mp4"), b"\x89PNG\r\n\x00\xff"),
    Reason.DUPLICATE_ID: lambda folder: table(
        folder, {"file_name": write_film(folder / "a.mp4").name}, {"file_name": "a.mp4"}
    ),
    Reason.BAD_ROW: lambda folder: table(folder, {"colour": "red"}),
    Reason.UNLISTED: lambda folder: (table(folder), write_film(folder / "a.mp4")),
    Reason.LONE_CAPTION: lambda folder: captioned(folder / "a.mp4"),
    Reason.NOT_MEDIA: lambda folder: (folder / "a.pdf").touch(),
}
ELSEWHERE = {Reason.NO_BUCKET, Reason.UNREADABLE_CAPTION}  # the test below, and test_encode.py


@pytest.mark.parametrize("reason", BRINGS_ABOUT)
def test_each_reason_has_its_row(tmp_path: Path, reason: Reason) -> None:
    BRINGS_ABOUT[reason](tmp_path)
    report = planned(tmp_path).report
    assert [row.reason for row in report.rows if row.reason is not None] == [reason]
    assert reason.value in json.dumps(report.to_dict())


def test_no_reason_is_without_a_test() -> None:
    assert set(BRINGS_ABOUT) | ELSEWHERE == set(Reason)


def test_an_input_whose_kind_has_no_bucket_has_a_row(tmp_path: Path) -> None:
    captioned(write_film(tmp_path / "a.mp4"))
    captioned(write_picture(tmp_path / "b.png"))
    for frames, left_out in ((1,), "a.mp4"), ((5,), "b.png"):
        config = DataConfig(buckets=BucketsConfig(resolutions=((32, 32),), frames=frames))
        rejected = planned(tmp_path, config).report.rejected()
        assert [row.item for row in rejected[Reason.NO_BUCKET]] == [left_out]


TAKEN: dict[Note, Callable[[Path], object]] = {
    Note.VARIABLE_RATE: lambda folder: write_film(folder / "a.mp4", gaps=(100, 300)),
    Note.ROTATED: lambda folder: write_film(folder / "a.mp4", rotation_deg=-90),
    Note.DEEP: lambda folder: write_film(folder / "a.mp4", pix_fmt="yuv420p10le"),
    Note.HDR: lambda folder: write_film(folder / "a.mp4", pix_fmt="yuv420p10le", is_hdr=True),
    Note.CROPPED: lambda folder: write_gif(folder / "a.gif"),
    Note.PARTLY_USED: lambda folder: write_film(folder / "a.mp4", 9),
    Note.LONG_CAPTION: lambda folder: captioned(write_film(folder / "a.mp4"), "word " * 10_000),
}


@pytest.mark.parametrize("note", TAKEN)
def test_what_is_done_to_an_input_is_noted(tmp_path: Path, note: Note) -> None:
    TAKEN[note](tmp_path)
    if not list(tmp_path.glob("*.txt")):
        captioned(tmp_path / "a.mp4")
    found = planned(tmp_path)
    (row,) = found.report.rows
    assert row.reason is None and any(text.startswith(note.value) for text in row.notes)
    assert found.samples[0].record.captions[0].count(" ") < 100


def test_odd_sizes_and_enlarging_are_noted(tmp_path: Path) -> None:
    captioned(write_picture(tmp_path / "a.png", width=31, height=33))
    config = DataConfig(buckets=BucketsConfig(resolutions=((32, 32),), max_upscale=2.0))
    (row,) = planned(tmp_path, config).report.rows
    assert row.bucket == "1x32x32" and any(note.startswith(Note.ENLARGED) for note in row.notes)


def test_every_input_is_in_the_report(tmp_path: Path) -> None:
    for number, make in enumerate(BRINGS_ABOUT.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(folder)
    report = planned(tmp_path).report
    assert {row.reason for row in report.rows} == {*BRINGS_ABOUT, None}
    assert report.num_taken == 1  # the first of the duplicates
    console = Console(width=200, file=io.StringIO())
    with console.capture() as capture:
        console.print(report.table())
    text = capture.get()
    assert all(reason.value in text for reason in BRINGS_ABOUT) and f"1 of {len(report.rows)} inputs" in text


def test_without_captions_films_are_taken_as_they_are(tmp_path: Path) -> None:
    write_film(tmp_path / "a.mp4")
    found = planned(tmp_path, DataConfig(buckets=CONFIG.buckets, needs_captions=False))
    assert [sample.record.captions for sample in found.samples] == [()]


def test_a_folder_described_twice_is_taken_twice(tmp_path: Path) -> None:
    captioned(write_film(tmp_path / "a.mp4"))
    entry = '[[directory]]\npath = "."\nframe_buckets = [5]\nresolutions = [{}]\n'
    (tmp_path / "d.toml").write_text(entry.format(32) + entry.format(16))
    found = planned(tmp_path / "d.toml")
    assert sorted(sample.bucket.name for sample in found.samples) == ["5x16x16", "5x32x32"]
    assert len({sample.record.id for sample in found.samples}) == 2


def test_a_file_is_probed_once_until_it_changes(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    film = captioned(write_film(tmp_path / "data/a.mp4"))
    (tmp_path / "data/b.mp4").write_text("rubbish")
    notes = tmp_path / "probes.jsonl"
    first = ProbeCache(notes)
    report = planned(tmp_path / "data", probes=first).report
    assert first.num_read == 2
    with notes.open("a") as file:
        file.write('{"key": "cut of')
    again = ProbeCache(notes)
    assert planned(tmp_path / "data", probes=again).report == report and again.num_read == 0
    write_film(film, 8)
    planned(tmp_path / "data", probes=again)
    assert again.num_read == 1


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(InvalidInput):
        DataConfig(budget_tokens=0)
