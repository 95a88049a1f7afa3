"""`inspect`, `convert`, `worlds` and `fetch`: thin, so only what they add is tested."""

from pathlib import Path

from muybridge.core.files import sha256
from muybridge.transformer import TransformerConfig
from tests.weights.sparse import sparse_release


def test_inspect_describes_every_part(run, model):
    outcome = run("inspect", model)
    assert (
        outcome.code == 0 and "transformer" in outcome.out and "vae" in outcome.out and "hidden_size=32" in outcome.out
    )
    assert run("inspect", "gallop", "--part", "vae", "--quick").out.count("  kind ") == 1
    reports = run("inspect", model, "--json").json()
    kinds = ["transformer", "vae", "text-encoder", "pooled-text-encoder"]
    assert [report["kind"] for report in reports] == kinds and all(report["problem"] is None for report in reports)


def test_inspect_hashes_every_file(run, model):
    [file] = Path(model, "vae").glob("*.safetensors")
    outcome = run("inspect", f"{model}/vae", "--hash")
    assert f"{sha256(file)}  {file.name}" in outcome.out
    assert run("inspect", f"{model}/vae", "--hash", "--json").json()[0]["hashes"] == {str(file): sha256(file)}


def test_inspect_tells_what_the_release_needs(run, folder):
    """A file of zeros with holes: 25 GB that take no room."""
    sparse_release(folder / "release.safetensors", TransformerConfig())
    report = run("inspect", "release.safetensors").out
    assert "HunyuanVideo, guidance-distilled" in report and "12,821,012,544 in 856 tensors" in report
    assert "23.88 GiB bfloat16" in report and "12.0" in report and "PFLOP at 1280x720, 129 frames" in report


def test_fetch_lists_models_assets_and_the_terms(run):
    out = run("fetch").out
    assert "hunyuanvideo " in out and "smollm2-135m-instruct" in out and "not licensed in the European Union" in out
    assert {each["name"] for each in run("fetch", "--json").json()} >= {"gallop", "fasthunyuan", "emojibase-en"}


def test_fetch_shows_the_licence_first_and_takes_it_once(run, folder, monkeypatch):
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(folder / "cache"))
    refused = run("fetch", "hunyuanvideo")
    assert refused.code == 1 and "--accept-licence" in refused.err and refused.err.count("\n") == 1
    assert "never fetched" in run("fetch", "hunyuanvideo", "--accept-licence").err  # offline
    assert "never fetched" in run("fetch", "hunyuanvideo").err


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


def test_what_cannot_be_fetched_is_told_where_the_names_are(run):
    outcome = run("fetch", "no-such-asset")
    assert outcome.code == 2 and "neither a model nor an asset; `muybridge fetch` lists them" in outcome.err


def test_paths_may_hold_spaces(run, model, folder: Path):
    assert run("convert", f"{model}/vae", "my models/vae.safetensors").code == 0
    assert run("inspect", "my models/vae.safetensors").code == 0
