"""`muybridge train`: refusals before any work, interrupts that say how to go on, progress without a terminal."""

import io
import subprocess
import sys

import pytest
from rich.console import Console

from muybridge import recipes
from muybridge.cli.progress import StepBars, duration
from muybridge.core.errors import Stopped
from muybridge.recipes.families import FAMILIES, STAGES
from muybridge.recipes.names import FAMILY_NAMES, SUMMARIES
from muybridge.transformer.cost import num_parameters
from muybridge.weights.load import load_transformer
from tests.data.test_encode import make_data
from tests.data.test_encode import run as encoded

WRONG = [
    (["gallop-vea", "--out", "new"], "recipe 'gallop-vea': no such recipe; did you mean gallop-vae? families are "),
    (["gallop-vae"], "--out"),
    (["gallop-vae", "--out", "new", "--set", "run.num_step=5"], "no such field; did you mean num_steps."),
    (["gallop-vae", "--out", "new", "--set", "run.num_steps=few"], "write it like 100"),
    (["gallop-vae", "--out", "new", "--set", "run.optimizer.lr=slow"], "write it like 1e-3"),
    (["gallop-vae", "--out", "new", "--set", "run"], "an override is NAME=VALUE"),
    (["gallop-vae", "--out", "/proc/new"], "cannot be written"),
    (["gallop-flow-64", "--out", "new"], "run muybridge train gallop-latents --out new first"),
    (["gallop", "--out", "new", "--set", "run.num_steps=4"], "set them on one stage"),
    (["finetune", "--out", "new"], "encode some and give them with --data"),
    (["finetune", "--out", "new", "--model", "gallop"], "go with --data"),
    (["gallop-vae", "--out", "new", "--data", "encoded"], "no such file or folder; check the path"),
    (["gallop-vae", "--out", "new", "--data", "encoded", "--model", "gallop"], "a VAE learns from films as they are"),
    (["gallop-latents", "--out", "new", "--data", "encoded"], "trains neither a VAE nor a transformer"),
    (["gallop", "--out", "new", "--data", "encoded"], "it learns from a world"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_wrong_input_is_refused_before_any_work(run, folder, words, message):
    outcome = run("train", *words)
    assert outcome.code == 2 and outcome.out == ""
    assert message in outcome.err.splitlines()[-1]
    assert list(folder.iterdir()) == []


def test_an_interrupt_says_how_to_go_on(run, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes, "run_stage", stop, raising=False)
    outcome = run("train", "gallop-vae", "--out", "new")
    assert outcome.code == 130
    assert "the same command continues" in outcome.err and outcome.err.endswith("interrupted\n")


def test_being_told_to_stop_is_exit_code_0(run, monkeypatch):
    def stop(*_, **__):
        raise Stopped("told to stop: saved step 8; the same command continues.")

    monkeypatch.setattr(recipes, "run_stage", stop, raising=False)
    outcome = run("train", "gallop-vae", "--out", "new")
    assert outcome.code == 0 and outcome.out == ""
    assert outcome.err == "told to stop: saved step 8; the same command continues.\n"


def test_help_names_every_recipe_and_waits_for_no_torch():
    assert SUMMARIES.keys() == {*FAMILIES, *STAGES} and set(FAMILY_NAMES) == set(FAMILIES)
    code = "import sys; from muybridge.cli import main; main(['train', '--help']); print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    squeezed = "".join(found.split())  # long names are cut at their hyphens
    assert found.endswith("False\n") and all(name in squeezed for name in SUMMARIES)


def test_a_dry_run_says_what_it_would_take_and_trains_nothing(run, folder):
    small = ["--set", "clips.size_px=64", "--set", "window_px=32", "--set", "clips.num_frames=5"]
    outcome = run("train", "gallop-vae", "--out", "new", "--dry-run", "--json", *small)
    (stage,) = outcome.json()
    assert outcome.code == 0 and list(folder.iterdir()) == []
    assert stage["work"] == "2 windows of 32 px, 5 frames"
    assert stage["name"] == "gallop-vae" and stage["plan"]["num_steps"] == STAGES["gallop-vae"].recipe().run.num_steps
    assert all(value > 0 for value in stage["plan"].values())
    lines = run("train", "gallop-latents", "--out", "new", "--dry-run").out.splitlines()
    assert lines[0] == "gallop-latents" and lines[-1].endswith("not encoded yet")


def test_a_dry_run_on_films_looks_at_them(run, folder):
    (folder / "films").mkdir()
    outcome = run("train", "gallop-vae-low-short", "--out", "new", "--dry-run", "--data", "films")
    assert outcome.code == 2 and outcome.err.startswith("error: 0 of 0 inputs: are films of use")


def test_a_continued_run_s_speed_is_not_that_of_what_was_done_before():
    with StepBars(Console(file=io.StringIO(), force_terminal=True)) as bars:
        bars.show("flow", 9000, 10000, {"loss": 0.5, "mfu": 0.25})
        bars.show("flow", 9001, 10000, {"loss": 0.4})
        (task,) = bars._bars.tasks
        assert task.fields["figure"] == "loss 0.4000, MFU 25.0%"
        assert task.time_remaining is None or task.time_remaining < 1e6


def test_durations_are_words():
    words = ["40 s", "99 s", "12 min", "3 h 20 min", "1,000 days"]
    assert [duration(seconds) for seconds in (40, 99, 720, 12000, 86.4e6)] == words


def test_without_a_terminal_the_end_is_a_line():
    text = io.StringIO()
    with StepBars(Console(file=text)) as bars:
        bars.show("latents", 1, 1, {})
        bars.show("latents", 1, 20, {})
        bars.show("latents", 20, 20, {"loss": 0.5})
    assert text.getvalue().splitlines() == ["latents 1/1", "latents 20/20 loss 0.5000"]


def test_a_dry_run_on_own_data_plans_the_model_that_is_given_and_counts_the_set_s_buckets(run, folder, model):
    encoded(make_data(folder / "data", films=6, pictures=2), folder / "encoded")
    words = ["train", "finetune", "--data", "encoded", "--out", "new", "--dry-run", "--model", model]
    (stage,) = run(*words, "--json").json()
    assert stage["plan"]["num_parameters"] == num_parameters(load_transformer(model).config)
    found = [(line["name"], line["num_samples"], line["batch_size"]) for line in stage["buckets"]]
    assert found == [("5x32x32", 6, 6), ("1x32x32", 2, 2)]
    lines = run(*words, "--set", "run.batch_size=2").out.splitlines()
    assert lines[-2:] == [
        "          5x32x32: 6 samples (75%) of 8 tokens, 2 a step",
        "          1x32x32: 2 samples (25%) of 4 tokens, 2 a step",
    ]
    assert "no such encoded set" in run(*words, "--name", "other").err and not (folder / "new").exists()
