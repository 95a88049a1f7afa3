"""`curate` and `caption`: from footage to shards, decided anew, captioned, erased; every mistake is one line."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from muybridge.curation.default_thresholds import DEFAULT_THRESHOLDS
from muybridge.curation.threshold_files import parse_thresholds
from tests.data.films import write_film, write_picture

QUICK = ("--size", "32", "--even", "1", "--stages", "borders", "--workers", "1")
LENIENT = "[clip.short_px]\nat_least = 16\n"
STRICT = "[clip.short_px]\nat_least = 16\n[clip.num_frames]\nat_most = 1\n"


@pytest.fixture
def footage(folder: Path) -> Path:
    place = folder / "my footage"
    place.mkdir()
    write_film(place / "a.mp4")
    write_picture(place / "b.png")
    (place / "broken.mp4").write_bytes(b"no film")
    (folder / "lenient.toml").write_text(LENIENT)
    (folder / "strict.toml").write_text(STRICT)
    return place


def test_footage_becomes_shards_that_can_be_decided_anew_captioned_and_erased(run: Any, footage: Path, folder: Path):
    words = ("curate", str(footage), "--out", "out", *QUICK, "--thresholds", "lenient.toml")
    outcome = run(*words, "--sample", "2")
    assert outcome.code == 0 and "broken.mp4" in (folder / "out/report/index.html").read_text()
    for said in ("1 quarantined", "256p", "images", "out/manifest.parquet", "out/report/index.html"):
        assert said in outcome.out
    found = run("curate", "out", "--retier", "--thresholds", "strict.toml", "--json").json()
    assert found["tiers"] == dict.fromkeys(("256p", "360p", "540p", "720p", "finetune"), 0) | {"images": 1}
    assert run("curate", "out", "--report-only", "--json").json()["kept"] == 1
    safe = run("curate", "out", "--retier", "--thresholds", "strict.toml", "--require-blurred-faces", "--json").json()
    assert safe["kept"] == 0 and safe["rejected"]["privacy"] == 1  # nobody looked for faces
    run("curate", "out", "--retier", "--thresholds", "strict.toml")
    assert run("caption", "out", "--captioner", "tags", "--json").json()["kept"] == 1
    assert run("curate", "out", "--replay", "borders", *QUICK).out.endswith("samples, 0 differences\n")
    assert run("curate", "out", "--erase", "b.png", "--json").json()["clips"] == found["clips"] - 1
    assert not list((folder / "out").rglob("*.png"))


def test_a_dry_run_names_what_would_be_done_and_writes_nothing(run: Any, footage: Path, folder: Path):
    outcome = run("curate", str(footage), "--dry-run", *QUICK)
    assert outcome.code == 0 and not (folder / "curated").exists()
    for said in ("a.mp4", "b.png", "even", "borders"):
        assert said in outcome.out
    assert [each["uri"] for each in run("curate", str(footage), "--dry-run", "--json", *QUICK).json()["sources"]] == [
        "a.mp4", "b.png", "broken.mp4",
    ]  # fmt: skip


def test_the_shown_table_is_the_default_and_can_be_given_back(run: Any):
    assert parse_thresholds(run("curate", "--show-thresholds").out) == DEFAULT_THRESHOLDS


def test_films_of_any_folder_get_captions_beside_them_once(run: Any, footage: Path):
    write_picture(footage / os.fsdecode(b"caf\xe9.png"))
    outcome = run("caption", str(footage))
    assert outcome.code == 0 and len(outcome.out.splitlines()) == 4 and "caf%E9.png: " in outcome.out
    note = json.loads((footage / "a.json").read_text())
    assert note["caption"] == (footage / "a.txt").read_text().strip() and note["caption_by"] == "tags"
    assert not (footage / "broken.json").exists()
    (footage / "broken.mp4").unlink()
    again = run("caption", str(footage))
    assert again.code == 1 and "nothing in it wants a caption" in again.err


@pytest.mark.parametrize(
    "words",
    [
        "curate",
        "curate footage",
        "curate nowhere --out out",
        "curate . --out out --size huge",
        "curate . --out out --size 255",
        "curate . --out out --stages paint",
        "curate . --out out --without paint",
        "curate . --out out --with gold",
        "curate . --out out --tiers 4k",
        "curate . --out out --captioner poet",
        "curate . --out out --captioner http://localhost:9/v1",
        "curate . --out out --thresholds nowhere.toml",
        "curate . --out out --max-clip-s 0",
        "curate . --out out --even 0",
        "curate . --out out --workers 0",
        "curate a b --retier",
        "curate a --retier --report-only",
        "curate . --erase a.mp4",
        "curate . --replay borders",
        "curate . --replay paint",
        "caption nowhere",
        "caption . --captioner poet",
    ],
)
def test_a_mistake_is_one_line(run: Any, folder: Path, words: str):
    outcome = run(*words.split())
    assert outcome.code == 2 and outcome.err.count("\n") == 1, outcome.err


def test_what_was_never_curated_cannot_be_decided_anew(run: Any, folder: Path):
    outcome = run("curate", ".", "--retier")
    assert outcome.code == 1 and "is not there" in outcome.err and outcome.err.count("\n") == 1
