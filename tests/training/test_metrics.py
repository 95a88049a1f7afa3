"""Figures reach their sinks."""

import json
import sys
from pathlib import Path

import pytest

from muybridge.core.errors import MissingExtra
from muybridge.training.metrics import open_sinks


def test_every_figure_is_a_line_of_json(tmp_path: Path) -> None:
    (sink,) = open_sinks(tmp_path, (), first_step=0)
    sink.record(1, {"loss": 0.5})
    sink.record(2, {"val": 0.25})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(line["step"], line.get("loss"), line.get("val")) for line in lines] == [(1, 0.5, None), (2, None, 0.25)]


def test_a_line_that_a_kill_cut_short_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    open_sinks(tmp_path, (), first_step=2)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_tensorboard_has_its_files_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    sinks = open_sinks(tmp_path, ("tensorboard",), first_step=0)
    for sink in sinks:
        sink.record(1, {"loss": 0.5})
        sink.close()
    assert len(sinks) == 2 and list((tmp_path / "tensorboard").glob("events.*"))


def test_wandb_has_a_run_and_its_continuation_under_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for first_step in (0, 1):
        _, sink = open_sinks(tmp_path / "run", ("wandb",), first_step=first_step)
        sink.record(first_step + 1, {"loss": 0.5})
        sink.record(first_step + 1, {"val": 0.25})
        sink.close()
    wandb.teardown()  # its service ends, so the files are whole
    files = list((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len({path.name for path in files}) == 1
    assert all(name in path.read_bytes() for path in files for name in (b"loss", b"val"))


def test_a_tracker_that_was_asked_for_by_name_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match="wandb"):
        open_sinks(tmp_path, ("wandb",), first_step=0)


def test_without_tensorboard_the_lines_remain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert len(open_sinks(tmp_path, ("tensorboard",), first_step=0)) == 1
