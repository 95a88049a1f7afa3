"""One call turns footage into shards, captions and a report; equal footage gives equal bytes, however it is run."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from muybridge.captioning.store import CaptionRecord, CaptionStore
from muybridge.captioning.tags import TagCaptioner
from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.curation.engine.journal import CLAIM
from muybridge.curation.output.manifest import MANIFEST, read_manifest, write_manifest
from muybridge.curation.output.table import read_about
from muybridge.curation.threshold_files import parse_thresholds
from muybridge.data.buckets import BucketsConfig
from muybridge.data.planning import DataConfig, plan
from muybridge.data.probes import ProbeCache
from muybridge.data.sources import open_source
from muybridge.media.image import write_image
from muybridge.media.writer import write_video
from muybridge.recipes.curation.captions import with_captions
from muybridge.recipes.curation.run import curate, planned, replay_stage, retier
from muybridge.recipes.curation.settings import CurationSettings

LENIENT = parse_thresholds("[clip.short_px]\nat_least = 32\n[borders.black_share]\nat_most = 0.5\n")
STRICT = parse_thresholds("[clip.short_px]\nat_least = 32\n[clip.num_frames]\nat_least = 14\n")


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film, one that ends in black, a picture, a text, and a file that is no film."""
    folder = tmp_path_factory.mktemp("footage")
    rng = np.random.default_rng(0)
    scene = rng.integers(40, 220, (48, 84, 3)).repeat(2, 0).repeat(2, 1).astype(np.uint8)
    moving = np.stack([np.roll(scene, 3 * step, axis=1)[:64, :96] for step in range(28)])
    write_video(folder / "moving.mp4", moving, fps=14)
    write_video(folder / "dark <b>.mp4", np.concatenate([moving[:3], np.zeros_like(moving[:11])]), fps=14)
    write_image(folder / "still.png", moving[0])
    (folder / "broken.mp4").write_bytes(b"no film at all")
    (folder / "notes.txt").write_text("nothing to see")
    return folder


def settings(out: Path, **changes: object) -> CurationSettings:
    chosen = {"size_px": 48, "even_s": 1.0, "stages": ("borders",), "thresholds": LENIENT} | changes
    return CurationSettings(out=out, **chosen)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def curated(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("curated")
    curate([str(footage)], settings(out))
    return out


def digests(out: Path) -> dict[str, str]:
    """All that shall be equal: what is not a clock."""
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("summary.json", "timings.jsonl")]
    kept = [path for path in files if path.name != "index.html"]  # which says how long it took
    return {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}


def test_every_source_is_accounted_for_and_every_clip_has_its_row(curated: Path):
    rows = read_manifest(curated).rows()
    assert sorted({row["uri"] for row in rows}) == ["dark <b>.mp4", "moving.mp4", "still.png"]
    dark = [row for row in rows if row["rejected_stage"] == "borders"]
    assert [row["uri"] for row in dark] == ["dark <b>.mp4"] and dark[0]["rejected_threshold"] == "at most 0.5"
    assert all((curated / row["clip"]).is_file() for row in rows)
    page = (curated / "report" / "index.html").read_text()
    assert "broken.mp4" in page and "notes.txt" in page and "<b>.mp4" not in page and "dark &lt;b&gt;.mp4" in page


def test_training_reads_the_shards_with_their_captions(curated: Path, tmp_path: Path):
    source = open_source(curated / "shards" / "256p")
    config = DataConfig(buckets=BucketsConfig(resolutions=((48, 32),), num_aspects=1, frames=(1, 13)))
    planned_data = plan(source, config, probes=ProbeCache(tmp_path / "probes.sqlite"))
    assert planned_data.report.num_taken == 2 and all(sample.record.captions for sample in planned_data.samples)


def test_the_same_command_finds_nothing_to_do_and_other_workers_give_the_same_bytes(
    footage: Path, curated: Path, tmp_path: Path
):
    before = digests(curated)
    curate([str(footage)], settings(curated))
    assert digests(curated) == before
    curate([str(footage)], settings(tmp_path, num_workers=2))
    assert digests(tmp_path) == before


def test_what_is_in_quarantine_is_tried_again_when_asked_and_what_is_not_given_stays(
    footage: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = Path(shutil.copytree(footage, tmp_path / "footage"))
    kept = [str(folder / name) for name in ("still.png", "broken.mp4")]
    curate(kept, settings(tmp_path / "out"))
    done = curate(kept[1:], settings(tmp_path / "out"))
    assert done.summary is not None and done.summary["num_sources_now"] == 0
    assert "sources=1 of earlier runs were not given and stay, still.png first" in caplog.text
    again = curate(kept, settings(tmp_path / "out", retries_quarantine=True))
    assert again.summary is not None and again.summary["num_sources_now"] == 1


def test_a_film_too_short_and_an_empty_one_say_so(footage: Path, tmp_path: Path):
    shutil.copy(footage / "dark <b>.mp4", tmp_path / "short.mp4")
    (tmp_path / "empty.mp4").touch()
    done = curate([str(tmp_path)], settings(tmp_path / "out", even_s=None))
    assert {source.uri: source.remarks for source in done.sources} == {
        "short.mp4": "gives no clip: its shots are too short",
        "empty.mp4": "empty.mp4: holds no bytes; fetch it again.",
    }
    with pytest.raises(InvalidInput, match="holds no file and names none"):
        curate([str(tmp_path / "out")], settings(tmp_path / "other"))


def test_retiering_decides_anew_without_looking_at_footage(curated: Path, tmp_path: Path):
    shutil.copytree(curated, tmp_path, dirs_exist_ok=True)
    clips = {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.mp4")}
    summary = (tmp_path / "summary.json").read_bytes()
    done = retier(settings(tmp_path, thresholds=STRICT))
    assert done.decisions.counts()["256p"] == 3 and done.decisions.counts()["images"] == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "clips").rglob("*.mp4")} == clips
    assert (tmp_path / "summary.json").read_bytes() == summary and not (tmp_path / "shards" / "images").exists()
    retier(settings(tmp_path, thresholds=LENIENT))
    assert read_about(tmp_path / MANIFEST)["thresholds"] == LENIENT.digest


def test_a_clip_whose_caption_failed_is_captioned_by_the_next_call(curated: Path, tmp_path: Path):
    shutil.copytree(curated, tmp_path, dirs_exist_ok=True)
    before = digests(tmp_path)
    (row,) = [each for each in read_manifest(tmp_path).rows() if each["is_picture"]]
    store = CaptionStore(tmp_path / "captions", TagCaptioner())
    failed = CaptionRecord(id=row["id"], by="tags", caption=None, problem="busy", repairs=(), num_tokens=0)
    store.write(failed)
    everything = [number for number, each in enumerate(read_manifest(tmp_path).rows()) if each["tiers"]]
    table = with_captions(tmp_path, read_manifest(tmp_path), TagCaptioner(), rows=everything)
    write_manifest(tmp_path, table, LENIENT, about=read_about(tmp_path / MANIFEST))
    assert digests(tmp_path) != before
    retier(settings(tmp_path))
    assert digests(tmp_path) == before


def test_a_stage_is_not_replayed_with_other_settings_than_it_was_run_with(curated: Path, tmp_path: Path):
    claim = json.loads((curated / CLAIM).read_text())
    claim["settings"]["stages"][1]["settings"] = {"max_share": 0.5}
    (tmp_path / CLAIM).write_text(json.dumps(claim))
    with pytest.raises(InvalidInput, match=r"stage borders with \{\}: it was run with \{'max_share': 0.5\}"):
        replay_stage("borders", settings(tmp_path))


def test_only_a_folder_that_was_curated_can_be_decided_anew(tmp_path: Path):
    with pytest.raises(RunFailed, match="is not there"):
        retier(settings(tmp_path))
    assert not (tmp_path / MANIFEST).exists()


def test_a_dry_run_names_sources_and_stages_and_writes_nothing(footage: Path, tmp_path: Path):
    found = json.loads(json.dumps(planned([str(footage)], settings(tmp_path / "out"))))
    assert [each["uri"] for each in found["sources"] if each["problem"] is None] == [
        "broken.mp4", "dark <b>.mp4", "moving.mp4", "still.png",
    ]  # fmt: skip
    assert list(found["stages"]) == ["even", "borders"] and not (tmp_path / "out").exists()
