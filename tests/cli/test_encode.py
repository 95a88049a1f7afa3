"""`encode`: where every input went, and a set that training reads."""

import json

from muybridge.data.encoded import EncodedLatents
from tests.data.films import write_film, write_picture

SMALL = ("--resolution", "32", "--aspects", "1", "--frames", "1", "--frames", "5")


def make_data(folder):
    data = folder / "my clips"
    data.mkdir()
    write_film(data / "a.mp4")
    (data / "a.txt").write_text("a grey wall")
    write_picture(data / "b.png")
    (data / "notes.pdf").touch()
    return data


def test_a_dry_run_says_where_every_input_goes_and_writes_nothing(run, folder, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder / "cache"))
    data = make_data(folder)
    before = sorted(data.rglob("*"))
    outcome = run("encode", str(data), "--dry-run", *SMALL)
    assert outcome.code == 0
    for words in ("1 of 3 inputs", "5x32x32", "no caption", "b.png", "notes.pdf"):
        assert words in outcome.out
    assert sorted(data.rglob("*")) == before
    report = run("encode", str(data), "--dry-run", "--json", *SMALL).json()
    assert (report["inputs"], report["taken"]) == (3, 1)
    assert {row["item"] for row in report["rows"]} == {"a.mp4", "b.png", "notes.pdf"}


def test_encode_writes_a_set(run, folder, model, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder / "cache"))
    data = make_data(folder)
    words = ("encode", str(data), "--out", "out", "--vae", f"{model}/vae", "--text", "words", "--no-captions", *SMALL)
    assert run(*words, "--captions").out.splitlines()[-1] == "out/sets/my-clips.json"
    assert EncodedLatents(folder / "out").batch(0, batch_size=1, seed=0).latents.shape[2:] == (2, 4, 4)
    outcome = run(*words, "--name", "all", "--json")
    assert outcome.code == 0 and outcome.json()["taken"] == 2
    assert json.loads((folder / "out/sets/all.report.json").read_text())["taken"] == 2


def test_data_of_which_nothing_can_be_used_fail_after_the_table(run, folder, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder / "cache"))
    (folder / "data").mkdir()
    (folder / "data" / "notes.pdf").touch()
    outcome = run("encode", "data", "--dry-run")
    assert outcome.code == 1 and "notes.pdf" in outcome.out and outcome.err.startswith("error: data: none of 1")


def test_wrong_words_are_one_line(run, folder):
    (folder / "data").mkdir()
    wrong = ("--frames 16", "--resolution wide", "--max-upscale 0.1", "--name a/b")
    for words in (["data"], ["nowhere", "--dry-run"], *(["data", "--dry-run", *text.split()] for text in wrong)):
        outcome = run("encode", *words)
        assert outcome.code == 2 and outcome.err.count("\n") == 1


def test_nothing_to_encode_writes_nothing_and_fails(run, folder, model, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder / "cache"))
    (folder / "clips").mkdir()
    (folder / "clips" / "notes.pdf").touch()
    words = ("encode", "clips", "--out", "out", "--vae", f"{model}/vae", "--text", "words", *SMALL)
    outcome = run(*words)
    assert outcome.code == 1 and "none of 1 inputs can be used" in outcome.err and not (folder / "out").exists()
