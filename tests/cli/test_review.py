"""`review`: the page is served until interrupted; reviewers are compared, learned from, written back."""

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.curation.review.conftest import footage, made  # noqa: F401
from tests.curation.review.test_verdicts import say


@pytest.fixture
def curated(made: Path, folder: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(made, folder / "out"))


def test_verdicts_are_compared_learned_from_and_written_back(run: Any, curated: Path):
    assert "no clip was judged by two" in run("review", "out", "--agreement").out
    for reviewer, verdict in (("ann", "rejected"), ("ben", "approved")):
        say(curated, reviewer, "dark.mp4", "rejected")
        say(curated, reviewer, "still.png", verdict)
    say(curated, "ann", "moving.mp4", "approved")
    found = run("review", "out", "--agreement", "--json").json()
    assert found["clips"] == 2 and found["percent"] == 0.5 and len(found["disputed"]) == 1
    assert "Krippendorff's alpha" in run("review", "out", "--agreement").out
    assert "at most" in run("review", "out", "--suggest").out
    assert run("review", "out", "--suggest", "--json").json()[0]["accuracy"] == 1
    done = run("review", "out", "--apply", "--json").json()
    assert (done["approved"], done["rejected"], done["disputed"], done["kept"]) == (1, 1, 1, 2)


@pytest.mark.parametrize(
    "words",
    [
        ("out", "--only", "some"), ("out", "--where", "colour<1"), ("out", "--reviewer", "../x"), ("nothing",),
        ("out", "--apply", "--suggest"), ("out", "--apply"), ("out", "--suggest"), ("out", "--port", "99999"),
        ("out", "--only", "disputed"),
    ],
)  # fmt: skip
def test_mistakes_are_told_in_one_line(run: Any, curated: Path, words: tuple[str, ...]):
    outcome = run("review", *words, *(() if "--apply" in words or "--suggest" in words else ("--no-open",)))
    assert outcome.code in (1, 2) and outcome.err.startswith("error: ") and outcome.err.count("\n") == 1


@pytest.mark.slow
def test_the_page_is_served_until_the_program_is_told_to_stop(curated: Path):
    words = [sys.executable, "-m", "muybridge", "review", str(curated), "--no-open", "--json", "--reviewer", "ann"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        said = json.loads(program.stdout.readline())
        with urllib.request.urlopen(said["address"]) as answer:
            assert said["clips"] == 3 and b"<title>Review</title>" in answer.read()
        program.terminate()
        assert program.wait(timeout=20) == 0
