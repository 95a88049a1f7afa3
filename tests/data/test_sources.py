"""Data sets as people have them are found by looking, and every file is a record or has a row."""

import csv
import io
import json
import tarfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.data.record import Record, Source
from muybridge.data.report import Reason
from muybridge.data.sources import open_source

FILM = b"a film, as far as sources look"


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(FILM)


def records(source: Source) -> dict[str, Record]:
    return {record.id: record for part in source.parts for record in part.records}


def captions(source: Source) -> dict[str, tuple[str, ...]]:
    return {name: record.captions for name, record in records(source).items()}


def reasons(source: Source) -> dict[str, Reason | None]:
    return {row.item: row.reason for part in source.parts for row in part.rows}


def test_a_folder_with_captions_beside_its_films(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "sub/b.webm", "c.gif", "d.png", "e.mov", "notes.pdf", ".hidden")
    (tmp_path / "a.txt").write_text("a horse")
    (tmp_path / "sub/b.webm.txt").write_text("a car")
    (tmp_path / "c.json").write_text('{"caption": ["a ball", "a red ball"]}')
    (tmp_path / "d.txt").write_bytes("\ufeffein Schloß".encode())
    (tmp_path / "lonely.txt").write_text("of nothing")
    source = open_source(tmp_path)
    assert captions(source) == {
        "a.mp4": ("a horse",), "sub/b.webm": ("a car",), "c.gif": ("a ball", "a red ball"), "d.png": ("ein Schloß",),
        "e.mov": (),
    }  # fmt: skip
    assert reasons(source) == {
        "lonely.txt": Reason.LONE_CAPTION, "notes.pdf": Reason.NOT_MEDIA, ".hidden": Reason.NOT_MEDIA
    }  # fmt: skip


@pytest.mark.parametrize("path_column", ["file_name", "video", "path", "file_path", "media_path", "video_path"])
@pytest.mark.parametrize("caption_column", ["caption", "text", "prompt"])
def test_the_columns_of_the_field_are_known(tmp_path: Path, path_column: str, caption_column: str) -> None:
    row = {path_column: "clips/a.mp4", caption_column: "a horse, galloping"}
    with (tmp_path / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    (tmp_path / "table.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "table.json").write_text(json.dumps([row]))
    for name in ("metadata.csv", "table.jsonl", "table.json"):
        source = open_source(tmp_path / name)
        assert captions(source) == {"clips/a.mp4": ("a horse, galloping",)}
        assert records(source)["clips/a.mp4"].media.path == tmp_path / "clips/a.mp4"


@pytest.mark.parametrize("given", [".", "manifest.parquet"])
def test_of_a_curation_one_tier_is_read(tmp_path: Path, given: str) -> None:
    touch(tmp_path, "manifest.parquet", "tiers/256p.parquet", "tiers/360p.parquet", "clips/ab/ab.mp4")
    with pytest.raises(InvalidInput, match=r"one tier is read: 256p, 360p; use .*tiers/256p\.parquet"):
        open_source(tmp_path / given)


def test_a_hugging_face_folder_is_read_by_its_table(tmp_path: Path) -> None:
    touch(tmp_path, "train/a.mp4", "train/a.json", "train/extra.mp4", "train/card.md", "train/s.tar", "loose.mp4")
    (tmp_path / "train/metadata.jsonl").write_text('{"file_name": "a.mp4", "text": "a horse"}\n')
    source = open_source(tmp_path)
    assert captions(source) == {"loose.mp4": (), "train/a.mp4": ("a horse",)}
    assert reasons(source) == {
        "train/card.md": Reason.NOT_MEDIA, "train/extra.mp4": Reason.UNLISTED, "train/s.tar": Reason.UNLISTED
    }  # fmt: skip


def test_bad_rows_of_a_table_have_a_report_row(tmp_path: Path) -> None:
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.mp4"}\nnot json\n[1]\n{"caption": "of what"}\n')
    assert set(reasons(open_source(tmp_path / "metadata.jsonl")).values()) == {Reason.BAD_ROW}
    assert len(reasons(open_source(tmp_path / "metadata.jsonl"))) == 3
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/metadata.json").write_text("{broken")
    assert reasons(open_source(tmp_path / "sub")) == {"metadata.json": Reason.DAMAGED}
    with pytest.raises(InvalidInput, match="not JSON"):
        open_source(tmp_path / "sub/metadata.json")


def test_a_map_from_file_to_caption_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "captions.json").write_text('{"a.mp4": "one", "b.mp4": ["two", "three"], "c.mp4": {"text": "four"}}')
    found = captions(open_source(tmp_path / "captions.json"))
    assert found == {"a.mp4": ("one",), "b.mp4": ("two", "three"), "c.mp4": ("four",)}


def test_a_parquet_manifest_is_a_table(tmp_path: Path) -> None:
    table = pyarrow.table({"id": ["x", "y"], "path": ["a.mp4", "b.mp4"], "captions": [["one", "two"], ["three"]]})
    pyarrow.parquet.write_table(table, tmp_path / "manifest.parquet")
    assert captions(open_source(tmp_path / "manifest.parquet")) == {"x": ("one", "two"), "y": ("three",)}
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(InvalidInput, match="not a Parquet"):
        open_source(tmp_path / "bad.parquet")


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def test_a_webdataset_tar_is_read_where_it_lies(tmp_path: Path) -> None:
    members = {
        "0001.mp4": FILM,
        "0001.txt": b"a horse",
        "0001.json": b'{"captions": ["a horse", "one"]}',
        "0002.webm": FILM + b"!",
        "0002.json": b'{"text": "a car"}',
        "0003.txt": b"of nothing",
        "0004.cls": b"7",
    }
    source = open_source(write_tar(tmp_path / "s.tar", members))
    assert captions(source) == {"s.tar/0001.mp4": ("a horse", "one"), "s.tar/0002.webm": ("a car",)}
    assert records(source)["s.tar/0002.webm"].media.read() == FILM + b"!"
    assert reasons(source) == {"s.tar/0003.txt": Reason.LONE_CAPTION, "s.tar/0004.cls": Reason.NOT_MEDIA}


@pytest.mark.parametrize(("said", "times"), [(3, 3), ("2", 2), (0, 1), (-1, 1), (1.5, 1), (10**9, 1), (None, 1)])
def test_a_sidecar_or_a_row_may_say_how_often_an_epoch_shows_it(tmp_path: Path, said: object, times: int) -> None:
    note = {"caption": "a horse", "repeats": said}
    path = write_tar(tmp_path / "s.tar", {"1.mp4": FILM, "1.json": json.dumps(note).encode()})
    assert records(open_source(path))["s.tar/1.mp4"].num_repeats == times
    (tmp_path / "t.jsonl").write_text(json.dumps(note | {"id": "1", "path": "1.mp4"}))
    assert records(open_source(tmp_path / "t.jsonl"))["1"].num_repeats == times


def test_a_bad_tar_among_others_is_a_row(tmp_path: Path) -> None:
    whole = write_tar(tmp_path / "a.tar", {"1.mp4": FILM, "2.mp4": b"x" * 5000}).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:3000])
    write_tar(tmp_path / "packed.tar.gz", {"1.mp4": FILM}, mode="w:gz")
    (tmp_path / "empty.tar").touch()
    source = open_source(tmp_path)
    assert set(captions(source)) == {"a.tar/1.mp4", "a.tar/2.mp4", "cut.tar/1.mp4"}
    found = reasons(source)
    assert found == {"cut.tar": Reason.CUT_SHORT, "packed.tar.gz": Reason.DAMAGED, "empty.tar": Reason.EMPTY_FILE}


MUSUBI = """
[general]
resolution = [320, 192]
caption_extension = ".caption"
enable_bucket = true
bucket_no_upscale = true
batch_size = 2

[[datasets]]
video_directory = "films"
cache_directory = "cache"
target_frames = [1, 25, 45]
frame_extraction = "uniform"
frame_sample = 3
source_fps = 30.0
num_repeats = 2

[[datasets]]
image_jsonl_file = "pictures.jsonl"
resolution = [250, 250]
enable_bucket = false
"""


def test_a_musubi_description_is_followed(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4", "films/a.caption")
    (tmp_path / "pictures.jsonl").write_text('{"image_path": "b.png", "caption": "a castle"}')
    (tmp_path / "dataset.toml").write_text(MUSUBI)
    source = open_source(tmp_path / "dataset.toml")
    films, pictures = (part.buckets for part in source.parts)
    assert films is not None and pictures is not None
    assert (films.resolutions, films.frames, films.extraction) == (((320, 192),), (1, 25, 45), "uniform")
    assert (films.num_uniform, films.fps, films.max_upscale, films.num_aspects) == (3, 24.0, 1.0, 7)
    assert (pictures.resolutions, pictures.frames, pictures.num_aspects) == (((256, 256),), (1,), 1)
    assert records(source)["a.mp4"].num_repeats == 2 and captions(source)["b.png"] == ("a castle",)
    assert source.remarks == ("dataset.toml: not followed: batch_size, cache_directory",)


PIPE = """
resolutions = [512, [640, 368]]
enable_ar_bucket = true
min_ar = 0.5
max_ar = 2.0
num_ar_buckets = 9
frame_buckets = [1, 33, 66]

[[directory]]
path = "films"
num_repeats = 5
mask_path = "masks"

[[directory]]
path = "gone"
"""


def test_a_diffusion_pipe_description_is_followed(tmp_path: Path) -> None:
    touch(tmp_path, "films/a.mp4")
    (tmp_path / "films/a.txt").write_text("a horse")
    (tmp_path / "dataset.toml").write_text(PIPE)
    source = open_source(tmp_path / "dataset.toml")
    buckets = source.parts[0].buckets
    assert buckets is not None and buckets.resolutions == ((512, 512), (640, 368))
    assert (buckets.num_aspects, buckets.frames) == (9, (1, 33, 65))
    assert captions(source) == {"a.mp4": ("a horse",)} and records(source)["a.mp4"].num_repeats == 5
    assert reasons(source) == {str(tmp_path / "gone"): Reason.MISSING_FILE}
    assert source.remarks == ("dataset.toml: not followed: mask_path",)


@pytest.mark.parametrize(
    ("text", "match"),
    [("[x", "not TOML"), ("a = 1", "neither"), ("[[datasets]]\nnum_repeats = 2", "needs one of"),
     ('[[directory]]\npath = "."\nresolutions = ["big"]', "resolution 'big'"),
     ('[[datasets]]\nvideo_directory = "."\nframe_stride = 0\nframe_extraction = "slide"', "slide_frames=0"),
     ('[[datasets]]\nvideo_directory = "."\nframe_extraction = "all"', "extraction")],
)  # fmt: skip
def test_a_wrong_description_is_one_line(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "d.toml").write_text(text)
    with pytest.raises(InvalidInput, match=match):
        open_source(tmp_path / "d.toml")


@pytest.mark.parametrize("name", ["absent", "notes.md"])
def test_what_is_no_data_set_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "notes.md")
    with pytest.raises(InvalidInput, match=name):
        open_source(tmp_path / name)
