"""The command as a whole."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import muybridge
from muybridge.cli import app

CLI = Path(app.__file__).parent
PARTS = {
    "__init__", "app", "curate_options", "curated", "films", "models", "options", "outputs", "preview", "progress",
    "rooms",
}  # no verbs  # fmt: skip


def test_every_verb_has_a_file_and_every_file_a_row():
    assert set(app.VERBS) == {file.stem for file in CLI.glob("*.py")} - PARTS


def test_help_lists_every_verb_in_full(run):
    outcome = run("--help")
    assert outcome.code == 0
    for verb, summary in app.VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(summary)}$", outcome.out, re.MULTILINE)
    assert run().out == outcome.out


@pytest.mark.parametrize("verb", app.VERBS)
def test_every_verb_explains_itself_with_examples(run, verb):
    outcome = run(verb, "--help")
    assert outcome.code == 0 and re.search(rf"^  +muybridge {verb} ", outcome.out, re.MULTILINE)
    importlib.import_module(f"muybridge.cli.{verb}")


def test_the_version_is_printed(run):
    assert run("--version").out == f"muybridge {muybridge.__version__}\n"


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "muybridge", "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("muybridge ")


def test_help_of_generate_brings_no_torch():
    code = "import sys; from muybridge.cli import main; main(['generate', '--help']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_a_full_disk_is_one_line_and_a_failure(generate, monkeypatch):
    import muybridge.pipelines.saving as saving

    def full(*_, **__):
        raise OSError(28, "No space left on device", "film.mp4")

    monkeypatch.setattr(saving, "write_video", full)
    outcome = generate("a", "-o", "film.mp4")
    assert outcome.code == 1 and outcome.err == "error: film.mp4: No space left on device\n"
