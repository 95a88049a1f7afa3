"""The command line run in this process on a tiny model."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muybridge.cli import main
from tests.pipelines.tiny import model_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command line gave."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output parsed."""
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of a tiny model."""
    return str(model_folder(tmp_path_factory.mktemp("model")))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, empty."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], folder: Path) -> Run:
    """A command line's outcome."""

    def run(*words: str) -> Outcome:
        code = main(list(words))
        out, err = capsys.readouterr()
        return Outcome(code=code, out=out, err=err)

    return run


@pytest.fixture
def generate(run: Run, model: str) -> Run:
    """`muybridge generate` with the tiny model at a tiny size."""

    def generate(*words: str, size: str = "48x32", frames: int | None = 5, steps: int = 2) -> Outcome:
        given = ["--model", model, "--size", size, "--steps", str(steps), "--device", "cpu"]
        given += [] if frames is None else ["--frames", str(frames)]
        return run("generate", *given, *words)

    return generate
