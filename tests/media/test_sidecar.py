"""Laws of settings beside and inside files."""

import json

import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media.image import write_image
from muybridge.media.sidecar import read_settings, sidecar_path, write_settings
from muybridge.media.writer import write_video

SETTINGS = {"prompt": "a horse — 馬 🐎", "seed": 7, "nested": {"steps": 50, "list": [1, None, True]}}
FILM = np.zeros((1, 16, 16, 3), np.uint8)


def test_settings_beside_a_film_come_back_by_either_name(tmp_path):
    write_video(tmp_path / "ball.mp4", FILM, fps=24)
    assert (
        write_settings(tmp_path / "ball.mp4", SETTINGS) == tmp_path / "ball.json" == sidecar_path(tmp_path / "ball.mp4")
    )
    assert read_settings(tmp_path / "ball.mp4") == SETTINGS == read_settings(tmp_path / "ball.json")


def test_people_can_read_the_sidecar(tmp_path):
    text = write_settings(tmp_path / "ball.mp4", SETTINGS).read_text(encoding="utf-8")
    assert "馬 🐎" in text and text.count("\n") > 5
    assert json.loads(text)["muybridge"] == 1


def test_what_is_inside_wins(tmp_path):
    write_video(tmp_path / "ball.mp4", FILM, fps=24, metadata={"seed": 1})
    write_settings(tmp_path / "ball.mp4", {"seed": 2})
    assert read_settings(tmp_path / "ball.mp4") == {"seed": 1}


@pytest.mark.parametrize("name", ["p.png", "p.jpg", "p.webp"])
def test_pictures_are_asked_too(tmp_path, name):
    write_image(tmp_path / name, FILM[0], metadata=SETTINGS)
    assert read_settings(tmp_path / name) == SETTINGS


def test_a_film_without_settings_is_refused(tmp_path):
    write_video(tmp_path / "ball.mp4", FILM, fps=24)
    with pytest.raises(
        MediaError, match="ball.mp4: carries no settings; give a film that muybridge made, or its .json"
    ):
        read_settings(tmp_path / "ball.mp4")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"muybridge": 1, "settings": {"a"', "damaged JSON"),
        ('{"seed": 1}', "muybridge did not write"),
        ("[1]", "muybridge did not write"),
        ('{"muybridge": 1, "settings": 3}', "muybridge did not write"),
        ('{"muybridge": 2, "settings": {}}', "use a newer muybridge"),
        ("", "damaged JSON"),
    ],
)
def test_a_sidecar_that_is_not_ours_is_refused(tmp_path, text, match):
    (tmp_path / "ball.json").write_text(text)
    with pytest.raises(MediaError, match=match) as caught:
        read_settings(tmp_path / "ball.json")
    assert "\n" not in str(caught.value)


def test_absent_and_unreadable_sidecars_are_refused(tmp_path):
    with pytest.raises(MediaError, match="no such file"):
        read_settings(tmp_path / "none.json")
    (tmp_path / "ball.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MediaError, match="cannot be read"):
        read_settings(tmp_path / "ball.json")


def test_settings_that_json_cannot_hold_write_nothing(tmp_path):
    with pytest.raises(MediaError, match="use numbers, text, lists and dicts"):
        write_settings(tmp_path / "ball.mp4", {"x": {1, 2}})
    assert list(tmp_path.iterdir()) == []
