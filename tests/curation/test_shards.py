"""Shards hold the clips of a tier by shape, are equal for equal clips, and are read by what trains."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from muybridge.core.errors import RunFailed
from muybridge.curation.output.manifest import MANIFEST, read_manifest, table_of, write_manifest
from muybridge.curation.output.shards import MAX_REPEATS, ShardsConfig, group_of, remove_tier, repeats_of, write_tier
from muybridge.curation.output.table import Table, read_about
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.data.sources import open_source
from muybridge.media.image import write_image
from muybridge.media.writer import write_video

TYPES: dict[str, Column] = {
    "id": "text", "uri": "text", "clip": "text", "start_s": "float", "end_s": "float", "width": "int", "height": "int",
    "num_frames": "int", "is_picture": "bool", "text": "texts", "caption": "text", "captions": "texts",
    "sampling_weight": "float", "embedding": "floats",
}  # fmt: skip


def clip(folder: Path, name: str, *, width: int = 64, num_frames: int = 5, **more: Any) -> dict[str, Any]:
    place = f"clips/{name[:2]}/{name}{'.png' if num_frames == 1 else '.mp4'}"
    frames = np.full((num_frames, 36, width, 3), 90, np.uint8)
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    if num_frames == 1:
        write_image(folder / place, frames[0])
    else:
        write_video(folder / place, frames, fps=8)
    facts = {"width": width, "height": 36, "num_frames": num_frames, "start_s": 0.5, "end_s": 1.0, "uri": f"{name}.mov"}
    return facts | {"id": name, "clip": place, "is_picture": num_frames == 1, "text": ("EXIT",)} | more


@pytest.fixture
def curated(tmp_path: Path) -> tuple[Path, Table]:
    rows = [
        clip(tmp_path, "b1", caption="a horse", captions=("a horse", "a brown horse"), sampling_weight=0.5),
        clip(tmp_path, "a2", caption="a car", sampling_weight=1.6, embedding=(0.1,) * 4),
        clip(tmp_path, "c3", width=36, num_frames=1),
    ]
    return tmp_path, table_of(rows, TYPES)


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read() for each in tar}  # type: ignore[union-attr]


def test_clips_lie_by_shape_with_captions_and_all_that_is_known(curated: tuple[Path, Table]):
    folder, table = curated
    place = write_tier(folder, "256p", table, config=ShardsConfig())
    assert sorted(path.name for path in place.iterdir()) == ["16x9-5f-00000.tar", "1x1-1f-00000.tar"]
    films = members(place / "16x9-5f-00000.tar")
    assert list(films) == ["a2.mp4", "a2.txt", "a2.json", "b1.mp4", "b1.txt", "b1.json"]
    assert films["b1.mp4"] == (folder / "clips/b1/b1.mp4").read_bytes()
    note = json.loads(films["b1.json"])
    assert note["captions"] == ["a horse", "a brown horse"] and note["columns"]["text"] == ["EXIT"]
    assert "embedding" not in json.loads(films["a2.json"])["columns"]


def test_what_trains_reads_tars_and_table_alike(curated: tuple[Path, Table]):
    folder, table = curated
    place = write_tier(folder, "256p", table, config=ShardsConfig())
    tars, listed = (
        {
            Path(record.id).stem: (record.captions, record.num_repeats)
            for part in open_source(path).parts
            for record in part.records
        }
        for path in (place, folder / "tiers" / "256p.parquet")
    )
    assert tars["b1"] == (("a horse", "a brown horse"), 1) and tars["a2"] == (("a car",), 3) and tars["c3"] == ((), 1)
    assert {name: listed[name] for name in ("b1", "a2")} == {name: tars[name] for name in ("b1", "a2")}
    assert not any(part.rows for part in open_source(place).parts)
    assert all(record.media.path.is_file() for part in open_source(folder / "tiers").parts for record in part.records)


def test_found_text_is_never_read_as_a_caption(curated: tuple[Path, Table]):
    folder, table = curated
    write_tier(folder, "images", Table(table.arrow.slice(2)), config=ShardsConfig())
    (record,) = open_source(folder / "shards" / "images").parts[0].records
    assert record.captions == ()


def test_equal_clips_give_equal_tars_and_those_that_stay_are_left_alone(curated: tuple[Path, Table]):
    folder, table = curated
    place = write_tier(folder, "256p", table, config=ShardsConfig())
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()}
    write_tier(folder, "256p", table, config=ShardsConfig())
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.iterdir()} == before
    remove_tier(folder, "256p")
    assert not place.exists() and not list((folder / "tiers").iterdir())
    write_tier(folder, "256p", table, config=ShardsConfig())
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {
        name: each[0] for name, each in before.items()
    }


def test_full_tars_are_followed_by_others_and_old_ones_go(curated: tuple[Path, Table]):
    folder, table = curated
    place = write_tier(folder, "256p", table, config=ShardsConfig(max_samples=1))
    assert len(list(place.glob("16x9-5f-*.tar"))) == 2
    write_tier(folder, "256p", table, config=ShardsConfig(max_bytes=10**9))
    assert len(list(place.glob("16x9-5f-*.tar"))) == 1


def test_a_clip_that_is_gone_is_told(curated: tuple[Path, Table]):
    folder, table = curated
    (folder / "clips/b1/b1.mp4").unlink()
    with pytest.raises(RunFailed, match="b1.mp4: the clip is gone"):
        write_tier(folder, "256p", table, config=ShardsConfig())


def test_the_manifest_has_every_clip_in_order_without_vectors(curated: tuple[Path, Table]):
    folder, table = curated
    rules = parse_thresholds("[clip.short_px]\nat_least = 20\n[clip.num_frames]\nat_most = 1")
    write_manifest(folder, table, rules, about={"stages": "v1"})
    read = read_manifest(folder)
    assert read.values("id") == ["a2", "b1", "c3"] and "embedding" not in read.names
    assert read.values("rejected_column") == ["num_frames", "num_frames", None]
    assert read_about(folder / MANIFEST) == {"format": "1", "stages": "v1", "thresholds": rules.digest}
    first = (folder / MANIFEST).read_bytes()
    write_manifest(folder, read, rules, about={"stages": "v1"})
    assert (folder / MANIFEST).read_bytes() == first


@pytest.mark.parametrize(
    ("width", "height", "num_frames", "group"),
    [(1920, 1080, 64, "16x9-33f"), (480, 640, 4, "3x4-1f"), (2560, 1080, 500, "21x9-129f"), (300, 301, 9, "1x1-9f")],
)
def test_groups_are_of_about_one_shape(width: int, height: int, num_frames: int, group: str):
    assert group_of({"width": width, "height": height, "num_frames": num_frames}) == group


def test_repeats_follow_the_weights_up_to_a_limit():
    assert repeats_of([0.5, 1.0, 1.26, 50.0, None]) == [1, 2, 3, MAX_REPEATS, 1] and repeats_of([None]) == [1]
