"""Wrong input through the real command line: one line, exit code 2, nothing written."""

import io
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import muybridge.media.writer as writer
import muybridge.pipelines.production as production
import muybridge.pipelines.sampling as sampling

WRONG = [
    (["a", "--frames", "128"], "num_frames=128: this VAE needs 4n+1 frames; use 125 or 129"),
    (["a", "--frames", "0"], "num_frames=0"),
    (["a", "--size", "130x128"], "width=130: sizes are multiples of 16 px; use 128 or 144"),
    (["a", "--size", "128"], "size='128'"),
    (["a", "--size", "48x32", "--aspect", "1:1"], "aspect=1:1"),
    ([""], "prompt=''"),
    (["  \t"], "is empty"),
    (["a", ""], "prompt=''"),
    (["a\udcff"], "not UTF-8"),
    ([], "no prompt"),
    (["a", "--prompts", "b.txt"], "prompts and --prompts"),
    (["--prompts", "missing.txt"], "--prompts missing.txt"),
    (["a", "--guidance", "nan"], "guidance: scale 'nan'"),
    (["a", "--guidance", "-1"], "guidance: scale '-1'"),
    (["a", "--cfg", "nan"], "cfg: scale 'nan'"),
    (["a", "--cfg", "0.5"], "cfg=0.5"),
    (["a", "--shift", "inf"], "shift=inf"),
    (["a", "--seed", "-1"], "seed=-1"),
    (["a", "--seed", str(2**63)], "seed=9223372036854775808"),
    (["a", "b", "--seed", str(2**63 - 1)], "seed=9223372036854775808"),
    (["a", "--seed", "1", "--seed", "2"], "2 seeds for 1 prompts"),
    (["a", "--negative", "dark"], "negative_prompt"),
    (["a", "--sampler", "eular"], "euler"),
    (["a", "--steps", "0"], "num_steps=0"),
    (["a", "--fps", "1000"], "fps=1000"),
    (["a", "--frames", "many"], "--frames"),
    (["a", "--bogus"], "--bogus"),
    (["a", "--dtype", "int4"], "--dtype"),
    (["a", "--device", "cuda:x"], "--device"),
    (["a", "--memory", "lots"], "memory='lots'"),
    (["a", "--memory", "1KiB"], "needs about"),
    (["a", "--size", "8192x8192", "--frames", "2049"], "8192x8192 with 2049 frames: needs about"),
    (["a", "b", "-o", "one.mp4"], "name a folder, such as one/"),
    (["a", "-o", ""], "output"),
    (["a", "-o", "film.txt"], "film.txt"),
    (["a", "-o", "still.png"], "holds one frame"),
    (["a", "-o", "/proc/film.mp4"], "/proc/film.mp4"),
    (["a", "-o", "file/film.mp4"], "file/film.mp4"),
    (["a", "-o", "/dev/null/films/"], "/dev/null"),
    (["--from", "missing.mp4"], "missing.mp4"),
    (["--from", "file"], "file"),
    (["a", "--model", "galop"], "model=galop"),
    (["a", "--model", "no/such/folder"], "no/such/folder"),
    (["a", "--model", "file"], "file"),
    (["a", "--image", "missing.png"], "image missing.png: no such file"),
    (["a", "--image", "file"], "is not a picture"),
    (["a", "--video", "file"], "file"),
    (["a", "--image", "file", "--extend", "file"], "image with extend"),
    (["a", "--mask", "file"], "mask without image or video"),
    (["a", "--strength", "0.5"], "strength without video"),
    (["a", "--video", "file", "--strength", "2"], "strength=2"),
    (["a", "--keyframe", "2"], "is not TIME=FILE"),
    (["a", "--keyframe", "soon=file"], "keyframe at 'soon'"),
    (["a", "--keyframe", "9=file"], "keyframe at 9: the film's last frame is 4"),
    (["a", "--keyframe", "0=file", "--image", "file"], "keyframe at 0: image at frame 0"),
    (["a", "--extend", "file", "--overlap", "4"], "overlap=4"),
    (["a", "--extend", "file", "--direction", "up"], "direction=up"),
    (["a", "--loop", "--last-image", "file"], "loop with last_image"),
    (["a", "--loop"], "loop of 5 frames"),
    (["a", "--image", "file", "--frames", "1"], "its only frame is given already"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"), WRONG, ids=[" ".join(words).encode("ascii", "replace").decode() for words, _ in WRONG]
)
def test_wrong_input_is_one_line_and_writes_nothing(run, folder, model, words, message):
    (folder / "file").write_text("not a film")
    small = [] if "--size" in words else ["--size", "48x32"]
    short = [] if "--frames" in words else ["--frames", "5"]
    named = [] if "--model" in words or "--from" in words else ["--model", model]
    outcome = run("generate", *named, *small, *short, "--steps", "2", *words)
    check(outcome, message)
    assert [path.name for path in folder.rglob("*")] == ["file"]


def check(outcome, message):
    assert outcome.code == 2 and outcome.out == ""
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
    assert message in outcome.err and "Traceback" not in outcome.err


def damaged(model: str, folder: Path, part: str) -> tuple[Path, Path]:
    """A copy of the model and the weights file of one of its parts."""
    copy = folder / "damaged"
    shutil.copytree(model, copy)
    return copy, copy / part / "model.safetensors"


def truncate(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.truncate(file.stat().st_size // 2)


def flip_a_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) * 3 // 4] ^= 0x10
    file.write_bytes(data)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def fake(file: Path) -> None:
    file.write_text("these are no weights")


class Evil:
    def __reduce__(self):
        return os.mkdir, ("owned",)


def hide_code(file: Path) -> None:
    file.unlink()
    file.with_name("mp_rank_00_model_states.pt").write_bytes(pickle.dumps({"module": Evil()}))


@pytest.mark.parametrize("part", ["transformers", "vae"])
@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, fake, hide_code])
def test_damaged_weights_are_refused(run, folder, model, part, damage):
    copy, file = damaged(model, folder, part)
    damage(file)
    before = sorted(path for path in folder.rglob("*"))
    check(run("generate", "a horse", "--model", str(copy), "-o", "film.mp4"), str(copy))
    assert sorted(path for path in folder.rglob("*")) == before


def test_an_empty_prompts_file_is_refused(generate, folder):
    (folder / "prompts.txt").write_text("\n \n")
    check(generate("--prompts", "prompts.txt"), "holds no prompt")


def test_standard_input_without_a_prompt_is_refused(generate, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    check(generate("--prompts", "-"), "holds no prompt")


def test_a_film_without_settings_cannot_be_repeated(run, folder):
    (folder / "a.json").write_text('{"prompt": "a horse"}')
    check(run("generate", "--from", "a.json"), "a.json")


@pytest.mark.parametrize("verb", ["generte", "film", ""])
def test_an_unknown_verb_is_refused(run, verb):
    check(run(verb), "no such verb")


def stop(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize(("module", "attribute"), [(sampling, "denoise"), (production, "to_uint8")])
def test_an_interrupt_leaves_nothing(generate, folder, monkeypatch, module, attribute):
    monkeypatch.setattr(module, attribute, stop)
    outcome = generate("a horse", "-o", "film.mp4")
    assert outcome.code == 130 and outcome.err.strip() == "interrupted"
    assert list(folder.iterdir()) == []


def test_an_interrupt_while_writing_leaves_nothing(generate, folder, monkeypatch):
    monkeypatch.setattr(writer.FilmWriter, "finish", stop)
    assert generate("a horse", "-o", "film.mp4").code == 130
    assert list(folder.iterdir()) == []


ANNOUNCED = """
import sys
import muybridge.pipelines.sampling as sampling
from muybridge.cli import main

denoise = sampling.denoise

def announced(*given, **named):
    print("denoising", flush=True)
    return denoise(*given, **named)

sampling.denoise = announced
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_real_signal_leaves_nothing(folder, model, number):
    words = ["a horse", "--model", model, "--size", "256x256", "--frames", "17", "--steps", "1000", "-o", "new/"]
    command = [sys.executable, "-c", ANNOUNCED, "generate", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "denoising\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert err.strip() == "interrupted"
    assert process.returncode in (130, -signal.SIGINT)  # the latter, 130 to a shell, where Python was in an `exec`
    assert list(folder.iterdir()) == []
