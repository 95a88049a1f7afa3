"""The how-to pages do what they show: commands, snippets and pictures."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pages", DOCS / "pages.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages = _loaded()


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.executed_pages(), ids=lambda page: page.stem)
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path):
    pages.run(page, tmp_path)


@pytest.mark.parametrize("page", pages.executed_pages(), ids=lambda page: page.stem)
def test_the_pictures_of_a_page_are_there_and_small(page: Path):
    for name in pages.pictures(page):
        assert 0 < (pages.PICTURES / name).stat().st_size <= pages.MAX_PICTURE_BYTES


def test_no_picture_is_left_of_an_earlier_page():
    shown = {name for page in pages.FOLDER.glob("*.md") for name in pages.pictures(page)}
    assert {path.name for path in pages.PICTURES.glob("*")} <= shown


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("```sh\nexit 3\n```\n", "page.md:1: exits with 3"),
        ("```sh\nfalse | cat\n```\n", "exits with 1"),
        ("words\n\n```python\nraise KeyError('here')\n```\n", "page.md:3: exits with 1"),
        ("```sh\ntrue ball.mp4\n```\n", "names ball.mp4, which is not there"),
        ("```sh fails\ntrue\n```\n", "does not end in a one-line error"),
        ("```sh sometimes\ntrue\n```\n", "the fence says"),
        ("![a](../pictures/how-to/a.png)\n", "shows a.png"),
    ],
)
def test_a_page_that_does_not_hold_is_told(tmp_path: Path, text: str, match: str):
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(pages.PageFailed, match=match):
        pages.run(tmp_path / "page.md", tmp_path)


def test_a_page_that_holds_passes(tmp_path: Path):
    text = "```sh\necho 1 > a.png\n```\n```sh fails\nfalse b.png\n```\n```sh elsewhere\nfalse\n```\n"
    (tmp_path / "page.md").write_text(f"{text}```python\nopen('a.png').read()\n```\n![a](../pictures/how-to/a.png)\n")
    pages.run(tmp_path / "page.md", tmp_path)
