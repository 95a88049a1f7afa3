"""Pictures and films of every sort through the real command line: the obvious right thing, or one line before any work.

What becomes of their pixels: tests/pipelines/conditions/test_reading.py.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from muybridge.media.image import read_image
from muybridge.media.writer import write_video
from tests.pipelines.conditions.pictures import film, gradient, picture

SIDEWAYS = 6  # EXIF orientation: turned to the left, to be shown turned back


def cmyk(path: Path) -> None:
    Image.fromarray(gradient()).convert("CMYK").save(path, "JPEG")


def deep(path: Path) -> None:
    Image.fromarray((gradient()[..., 0] * np.uint16(257)).astype(np.uint16)).save(path, "PNG")


def animated(path: Path) -> None:
    first, second = (Image.new("RGB", (48, 32), colour) for colour in ("red", "blue"))
    first.save(path, "GIF", save_all=True, append_images=[second])


def turned(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    Image.fromarray(np.rot90(gradient()).copy()).save(path, "PNG", exif=exif)


def one_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1), "red").save(path, "PNG")


def transparent(path: Path) -> None:
    Image.new("RGBA", (48, 32), (255, 0, 0, 0)).save(path, "PNG")


def cut(path: Path) -> None:
    whole = picture(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def huge(path: Path) -> None:
    Image.new("1", (20000, 20000)).save(path)


@pytest.mark.parametrize("make", [cmyk, deep, animated, turned, one_pixel, transparent])
def test_a_picture_of_an_unusual_kind_is_taken_and_gives_its_aspect(run, folder, model, make: Callable[[Path], None]):
    suffix = {cmyk: ".jpg", animated: ".gif"}.get(make, ".png")
    make(folder / f"a{suffix}")
    small = ["--size", "48x32"] if make is one_pixel else []
    words = ["--image", f"a{suffix}", *small, "--frames", "5", "--steps", "1", "--stills", "first", "-o", "film.mp4"]
    made = run("generate", "a horse", "--model", model, *words)
    assert made.code == 0, made.err
    assert read_image(folder / "film.first.png").shape == (32, 48, 3)


@pytest.mark.parametrize("words", [
    ["--image", "a.png"], ["--image", "a.png", "--size", "48x32"], ["--last-image", "a.png", "--size", "48x32"],
    ["--keyframe", "4=a.png", "--size", "48x32"], ["--video", "a.png", "--size", "48x32"],
    ["--image", "b.png", "--mask", "a.png"],
], ids=" ".join)  # fmt: skip
@pytest.mark.parametrize("make", [cut, empty, huge])
def test_a_damaged_or_huge_picture_is_one_line(run, folder, model, make: Callable[[Path], None], words):
    make(folder / "a.png")
    picture(folder / "b.png")
    check_refused(run("generate", "a horse", "--model", model, *words, "--frames", "5"), folder)


@pytest.mark.parametrize("words", [
    ["--extend", "short.mp4", "--overlap", "9", "--frames", "13"], ["--video", "short.mp4", "--frames", "9"],
    ["--extend", "cut.mp4", "--frames", "13"], ["--video", "cut.mp4", "--frames", "5"],
    ["--video", "a.png", "--mask", "short.mp4", "--frames", "9"], ["--image", "short.mp4", "--frames", "5"],
    ["--mask", "black.png", "--image", "a.png", "--frames", "5"],
])  # fmt: skip
def test_a_film_that_is_too_short_or_damaged_is_one_line(run, folder, model, words):
    film(folder / "short.mp4", 5)
    film(folder / "cut.mp4", 9)
    (folder / "cut.mp4").write_bytes((folder / "cut.mp4").read_bytes()[:900])
    picture(folder / "a.png")
    picture(folder / "black.png", np.zeros((32, 48, 3), np.uint8))
    check_refused(run("generate", "a horse", "--model", model, "--size", "48x32", *words), folder)


def test_a_film_of_another_aspect_and_rate_is_continued(run, folder, model):
    write_video(folder / "a.mkv", np.full((10, 34, 50, 3), 9, np.uint8), fps=24)
    words = ["--extend", "a.mkv", "--overlap", "5", "--fps", "12", "--frames", "9", "--steps", "1", "-o", "film.mp4"]
    made = run("generate", "a horse", "--model", model, "--size", "48x32", *words)
    assert made.code == 0, made.err


def check_refused(outcome, folder: Path) -> None:
    assert outcome.code == 2 and outcome.out == ""
    lines = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and outcome.err.splitlines()[-1] == lines[0] and "Traceback" not in outcome.err
    assert not list(folder.rglob("films"))
