"""`generate --resume-dir` and `--preview`: the same command goes on, and what is underway can be looked at."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.test_generate import names

PROMPT = "a brown horse gallops over green grass"
RESUMED = ("--resume-dir", "state", "-o", "new/")


def made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "new").iterdir()}


def test_films_that_are_in_their_files_are_not_made_again(generate, folder):
    first = generate("a horse", "a cow", "--seed", "7", *RESUMED)
    assert first.code == 0 and names(folder / "state") == []
    before = {path: path.stat().st_mtime_ns for path in (folder / "new").iterdir()}
    again = generate("a horse", "a cow", "--seed", "7", *RESUMED)
    assert (again.code, again.out) == (0, first.out) and "2 of 2 are in their files already" in again.err
    assert {path: path.stat().st_mtime_ns for path in (folder / "new").iterdir()} == before


def test_a_film_that_is_gone_is_made_again_in_its_place(generate, folder):
    first = generate("a horse", "a cow", "--seed", "7", *RESUMED, "--json").json()["films"]
    expected = made(folder)
    (folder / "new" / "a-cow-8.mp4").unlink()
    (folder / "new" / "a-horse-7.json").unlink()  # a film without it was not saved whole
    again = generate("a horse", "a cow", "--seed", "7", *RESUMED, "--json").json()["films"]
    assert made(folder) == expected
    assert [film | {"seconds": 0} for film in again] == [film | {"seconds": 0} for film in first]


def test_a_film_that_is_in_its_file_is_told_by_its_own_length(generate, folder):
    words = ("--seed", "7", *RESUMED, "--json")
    assert generate("a horse", *words).code == 0
    extended = ("a horse", "--extend", "new/a-horse-7.mp4", "--overlap", "1", "--seed", "8", *RESUMED, "--json")
    first, again = (generate(*extended).json()["films"][0] for _ in range(2))
    assert again["frames"] == first["frames"] == 9 and again["seconds"] == 0


def test_other_films_of_that_name_are_left_alone(generate, folder):
    assert generate("a horse", "--seed", "7", "-o", "new/").code == 0
    before = made(folder)
    assert generate("a horse", "--seed", "7", *RESUMED, steps=3).code == 0
    assert generate("a horse", "--seed", "7", *RESUMED, steps=3).code == 0
    assert sorted(made(folder)) == ["a-horse-7-2.json", "a-horse-7-2.mp4", "a-horse-7.json", "a-horse-7.mp4"]
    assert before.items() <= made(folder).items()


def test_without_a_seed_the_folder_has_one(generate, folder):
    first, again = (generate("a horse", *RESUMED).out for _ in range(2))
    other = generate("a horse", "--resume-dir", "other", "-o", "new/").out
    assert first == again != other
    assert names(folder / "state") == ["seed.json"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--resume-dir", "file"), "resume_dir file: cannot be written"),
        (("--preview-file", "p.mp4"), "previews are written as .gif, .webp, .apng; use p.webp"),
        (("--preview-file", "file/p.webp"), "cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_line(generate, folder, words, said):
    (folder / "file").write_text("")
    outcome = generate("a horse", *words)
    assert outcome.code == 2 and said in outcome.err and len(outcome.err.strip().splitlines()) == 1
    assert names(folder) == ["file"]


def test_a_preview_goes_into_no_pipe(generate):
    outcome = generate("a horse", "--preview")
    assert outcome.code == 0 and "\x1b" not in outcome.out + outcome.err
    assert "this is no terminal; --preview-file" in outcome.err


@pytest.mark.parametrize("name", ["p.webp", "p.gif"])
def test_a_preview_file_moves(generate, folder, name):
    words = ("--seed", "7", "--preview-file", name)  # by chance frames may be equal, which WebP drops
    assert generate("a horse", *words, "-o", "a.mp4").code == 0
    with Image.open(folder / name) as preview:
        assert preview.is_animated and preview.n_frames == 5 and preview.size == (48, 32)


def program(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    """15 s of a core."""
    film = ["--seed", "7", "--size", "128x128", "--frames", "33", "--steps", "30", "--device", "cpu"]
    command = [sys.executable, "-m", "muybridge", "generate", PROMPT, *film, *words]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)


def num_kept(folder: Path) -> int:
    return len(list(folder.glob("state/*/film/[0-9]*.safetensors")))


def stopped(folder: Path, how: signal.Signals, *words: str) -> int:
    """The exit code of a run that is stopped a moment after it has written something more."""
    before, process = num_kept(folder), program(folder, *words)
    while process.poll() is None and num_kept(folder) <= before:
        time.sleep(0.05)
    time.sleep(random.Random(before).uniform(0, 1))
    process.send_signal(how)
    return process.wait()


@pytest.mark.slow
def test_a_film_that_is_stopped_again_and_again_ends_in_the_same_bytes(tmp_path: Path):
    assert program(tmp_path, "-o", "whole/film.mp4").wait() == 0
    resumed = ("-o", "resumed/film.mp4", "--resume-dir", "state")
    assert stopped(tmp_path, signal.SIGKILL, *resumed) == -signal.SIGKILL
    after_kill = num_kept(tmp_path)
    assert stopped(tmp_path, signal.SIGTERM, *resumed) == 130
    assert 0 < after_kill < num_kept(tmp_path) < 30
    assert program(tmp_path, *resumed).wait() == 0
    for name in ("film.mp4", "film.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "resumed" / name).read_bytes()
    assert not list((tmp_path / "state").iterdir())
