"""`muybridge train`: refusals before any work, interrupts that say how to go on, progress without a terminal."""

import io

import pytest
from rich.console import Console

import muybridge.cli.train as train
from muybridge.cli.progress import StepBars

WRONG = [
    (["gallop-vea", "--out", "new"], "recipe 'gallop-vea': no such stage; choose from gallop, gallop-vae"),
    (["gallop-vae"], "--out"),
    (["gallop-vae", "--out", "new", "--set", "run.num_step=5"], "no such field; did you mean num_steps."),
    (["gallop-vae", "--out", "new", "--set", "run.num_steps=few"], "write it like 100"),
    (["gallop-vae", "--out", "new", "--set", "run.optimizer.lr=slow"], "write it like 1e-3"),
    (["gallop-vae", "--out", "new", "--set", "run"], "an override is NAME=VALUE"),
    (["gallop-vae", "--out", "/proc/new"], "cannot be written"),
    (["gallop-flow-64", "--out", "new"], "run muybridge train gallop-latents --out new first"),
    (["gallop", "--out", "new", "--set", "run.num_steps=4"], "set them on one stage"),
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

    monkeypatch.setattr(train, "run_stage", stop)
    outcome = run("train", "gallop-vae", "--out", "new")
    assert outcome.code == 130
    assert "the same command continues" in outcome.err and outcome.err.endswith("interrupted\n")


def test_without_a_terminal_the_end_is_a_line():
    text = io.StringIO()
    with StepBars(Console(file=text)) as bars:
        bars.show("latents", 1, 1, {})
        bars.show("latents", 1, 20, {})
        bars.show("latents", 20, 20, {"loss": 0.5})
    assert text.getvalue().splitlines() == ["latents 1/1", "latents 20/20 loss 0.5000"]
