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


def test_a_tracker_that_was_asked_for_by_name_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match="wandb"):
        open_sinks(tmp_path, ("wandb",), first_step=0)


def test_without_tensorboard_the_lines_remain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert len(open_sinks(tmp_path, ("tensorboard",), first_step=0)) == 1
