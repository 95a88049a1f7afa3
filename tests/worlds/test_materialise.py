"""Clips on disk: whole files only, the same bytes however often a run was stopped, readable as data sets."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as parquet
import pytest

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.core.files import sha256
from muybridge.data.sources import open_source
from muybridge.media.video import read_video
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.materialise import MaterialiseConfig, materialise
from muybridge.worlds.sprites import SpritesWorld, complete_sprites

CONFIG = MaterialiseConfig(num_clips=5, size_px=32, num_frames=5, clips_per_shard=2)


def _world(**changes: object) -> SpritesWorld:
    return SpritesWorld(replace(complete_sprites(size_px=32, num_frames=5), **changes), drawn_library())


def _hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


class _Killed(Exception):
    """Stands for a signal."""


def _stop_at(clip: int):
    def on_clip(done: int, total: int) -> None:
        if done == clip:
            raise _Killed

    return on_clip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    materialise(_world(), folder, CONFIG)
    return folder


def test_clips_tars_and_manifest_are_written(whole):
    assert sorted(_hashes(whole)) == sorted(
        ["manifest.parquet", "world.json"]
        + [f"clips/{index:06d}.{suffix}" for index in range(5) for suffix in ("mp4", "json")]
        + [f"shards/{number:05d}.tar" for number in range(3)]
    )


def test_the_manifest_says_what_the_clips_are(whole):
    world = _world()
    for row in parquet.read_table(whole / "manifest.parquet").to_pylist():
        scene = world.scene(row["index"])
        frames, fps = read_video(whole / row["path"])
        assert frames.shape == (row["num_frames"], row["height"], row["width"], 3) and fps == row["fps"]
        assert row["captions"] == list(world.captions(scene, 4)) and row["caption"] == row["captions"][0]
        assert row["camera"] == scene.camera and row["shot_type"] == scene.shot_type
        assert json.loads(row["scene"])["detail_seed"] == scene.detail_seed
        assert sha256(whole / row["path"]) == row["sha256"]


def test_tars_hold_the_same_clips(whole):
    with tarfile.open(whole / "shards" / "00001.tar") as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}
    keys = {name.split(".")[0] for name in members}
    assert keys == {"sprites-train-000002", "sprites-train-000003"}
    assert members["sprites-train-000002.mp4"] == (whole / "clips" / "000002.mp4").read_bytes()
    assert members["sprites-train-000002.txt"].decode() == json.loads(members["sprites-train-000002.json"])["caption"]


@pytest.mark.parametrize("place", ["", "manifest.parquet", "shards/00000.tar"])
def test_what_is_written_is_read_as_a_data_set(whole, place):
    source = open_source(whole / place)
    records = [record for part in source.parts for record in part.records]
    assert len(records) == (2 if place.endswith(".tar") else 5) and all(record.captions for record in records)


@pytest.mark.parametrize("clip", [2, 5])
def test_a_stopped_run_goes_on_to_the_same_bytes(whole, tmp_path, clip):
    with pytest.raises(_Killed):
        materialise(_world(), tmp_path, CONFIG, on_clip=_stop_at(clip))
    assert not (tmp_path / "manifest.parquet").exists()
    (tmp_path / "clips" / ".000004-x1y2.mp4").write_bytes(b"half a film")  # what SIGKILL would leave
    materialise(_world(), tmp_path, CONFIG)
    assert _hashes(tmp_path) == _hashes(whole)


def test_a_film_without_its_note_is_written_anew(whole, tmp_path):
    materialise(_world(), tmp_path, CONFIG)
    (tmp_path / "clips" / "000001.json").unlink()
    (tmp_path / "clips" / "000001.mp4").write_bytes(b"other")
    materialise(_world(), tmp_path, CONFIG)
    assert _hashes(tmp_path) == _hashes(whole)


def test_more_clips_are_added_and_short_tars_filled(whole, tmp_path):
    materialise(_world(), tmp_path, replace(CONFIG, num_clips=3))
    materialise(_world(), tmp_path, CONFIG)
    assert _hashes(tmp_path) == _hashes(whole)


@pytest.mark.parametrize("changes", [{"split": "held_out"}, {"size_px": 48}, {"clips_per_shard": 3}])
def test_a_folder_of_other_clips_is_refused(whole, changes):
    before = _hashes(whole)
    with pytest.raises(RunFailed, match="other settings"):
        materialise(_world(), whole, replace(CONFIG, **changes))
    with pytest.raises(RunFailed, match="other settings"):
        materialise(_world(seed=1), whole, CONFIG)
    assert _hashes(whole) == before


@pytest.mark.parametrize("num_workers", [2, 7])
def test_the_files_are_the_same_whatever_the_number_of_workers(whole, tmp_path, num_workers):
    seen = []
    materialise(_world(), tmp_path, CONFIG, num_workers=num_workers, on_clip=lambda done, _: seen.append(done))
    assert _hashes(tmp_path) == _hashes(whole) and seen == [1, 2, 3, 4, 5]


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path):
    def second(done: int, total: int) -> None:
        with pytest.raises(RunFailed, match="another run is writing here"):
            materialise(_world(), tmp_path, CONFIG)

    materialise(_world(), tmp_path, replace(CONFIG, num_clips=1), on_clip=second)
    materialise(_world(), tmp_path, replace(CONFIG, num_clips=1))


def test_too_many_clips_for_the_disk_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(InvalidInput, match="100,000 clips need .* GB; free some, ask for fewer clips"):
        materialise(_world(), tmp_path / "new", replace(CONFIG, size_px=2**14, num_clips=10**5))
    assert list(tmp_path.iterdir()) == []


def test_held_out_clips_are_held_out(tmp_path):
    world = _world()
    materialise(world, tmp_path, replace(CONFIG, split="held_out", num_clips=2, clips_per_shard=0))
    rows = parquet.read_table(tmp_path / "manifest.parquet").to_pylist()
    assert [row["id"] for row in rows] == ["sprites-held_out-000000", "sprites-held_out-000001"]
    assert not (tmp_path / "shards").exists()


@pytest.mark.parametrize(
    ("changes", "given"),
    [
        ({"num_clips": 0}, "num_clips=0"),
        ({"size_px": 33}, "size_px=33"),
        ({"clips_per_shard": -1}, "clips_per_shard=-1"),
        ({"start": -1}, "start=-1"),
        ({"num_captions": 0}, "num_captions=0"),
        ({"split": "all"}, "split=all"),
    ],
)
def test_bad_settings_are_refused(changes, given):
    with pytest.raises(InvalidInput, match=given):
        replace(CONFIG, **changes)
