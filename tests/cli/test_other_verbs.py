"""`inspect`, `convert`, `worlds` and `fetch`: thin, so only what they add is tested."""

from pathlib import Path


def test_inspect_describes_every_part(run, model):
    outcome = run("inspect", model)
    assert (
        outcome.code == 0 and "transformer" in outcome.out and "vae" in outcome.out and "hidden_size=32" in outcome.out
    )
    reports = run("inspect", model, "--json").json()
    assert [report["kind"] for report in reports] == ["transformer", "vae"]


def test_convert_and_back_keeps_every_tensor(run, model, folder):
    source = f"{model}/transformers"
    assert run("convert", source, "peer", "--layout", "diffusers").code == 0
    outcome = run("convert", "peer", "back.safetensors", "--json")
    assert outcome.code == 0 and outcome.json()["kind"] == "transformer"
    assert {path.name for path in folder.iterdir()} == {"peer", "back.safetensors"}


def test_a_bad_conversion_is_one_line(run, model, folder):
    (folder / "taken").mkdir()
    (folder / "taken" / "file").write_text("")
    for words in (["missing", "new"], [f"{model}/vae", "taken"], [f"{model}/vae", "new", "--layout", "comfi"]):
        outcome = run("convert", *words)
        assert outcome.code == 2 and outcome.err.count("\n") == 1 and outcome.err.startswith("error: ")
    assert not (folder / "new").exists()


def test_convert_says_what_it_would_write(run, model, folder):
    words = ["convert", f"{model}/transformers", "peer", "--layout", "diffusers", "--max-shard", "100kB", "--dry-run"]
    outcome = run(*words)
    assert outcome.code == 0 and "would write" in outcome.out and "peer/config.json" in outcome.out
    assert run(*words, "--json").json()["is_dry_run"] and list(folder.iterdir()) == []
    assert "max-shard='many'" in run("convert", model, "new", "--max-shard", "many").err


def test_bad_sheets_and_data_sets_are_refused_before_anything_is_fetched(run, folder):
    for words in ("--preview sheet.txt", "--preview a.png --clips 0", "--preview a.png --start -1",
                  "--preview a.png --size 5000", "", "--preview a.png --out data", "--out data --clips 0",
                  "--out data --size 65", "--out data --frames 16", "--out data --clips-per-shard -1"):  # fmt: skip
        outcome = run("worlds", "sprites", *words.split())
        assert outcome.code == 2 and outcome.err.count("\n") == 1, words
    assert run("worlds", "mars", "--preview", "a.png").code == 2
    assert list(folder.iterdir()) == []


def test_an_unknown_asset_is_refused_with_the_known_ones(run):
    outcome = run("fetch", "no-such-asset")
    assert outcome.code != 0 and "smollm2-135m-instruct" in outcome.err


def test_paths_may_hold_spaces(run, model, folder: Path):
    assert run("convert", f"{model}/vae", "my models/vae.safetensors").code == 0
    assert run("inspect", "my models/vae.safetensors").code == 0
