"""A finished film on disk."""

import json
import re

import numpy as np
import pytest
import torch

from muybridge import Settings, Video, read_settings
from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.image import read_image
from muybridge.media.video import read_video
from tests.pipelines.tiny import SMALL, pipeline


@pytest.fixture(scope="module")
def film() -> Video:
    return pipeline()("a horse", seed=3, fps=12, **SMALL)


def picture(film: Video) -> Video:
    return Video(pixels=film.pixels[:1], fps=film.fps, settings=film.settings, latents=film.latents)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".gif"])
def test_a_film_is_saved_with_its_settings_inside_and_beside(film, tmp_path, suffix):
    path = film.save(tmp_path / "new" / f"ball{suffix}")
    frames, fps = read_video(path)
    assert frames.shape == film.pixels.shape and abs(fps - 12) < 0.6
    assert sorted(file.name for file in path.parent.iterdir()) == sorted(["ball.json", path.name])
    assert read_settings(path) == read_settings(path.with_suffix(".json")) == json.loads(json.dumps(film.settings))


def test_a_saved_film_is_repeated_by_what_it_records(film, tmp_path):
    record = read_settings(film.save(tmp_path / "ball.mp4"))
    pipe = pipeline()
    [again] = pipe.stream(pipe.requests([record["prompt"]], Settings.recorded(record)))
    assert torch.equal(again.latents, film.latents) and again.settings == film.settings


def test_a_picture_is_saved_without_loss(film, tmp_path):
    path = picture(film).save(tmp_path / "ball.png")
    assert np.array_equal(read_image(path), film.pixels[0]) and read_settings(path)["seed"] == 3


def test_a_film_is_no_picture(film, tmp_path):
    with pytest.raises(MediaError, match="holds one frame, not 5"):
        film.save(tmp_path / "ball.png")
    with pytest.raises(MediaError):
        film.save(tmp_path / "ball.txt")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused(film, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be written"):
        film.save(tmp_path / "file" / "ball.mp4")


def test_a_notebook_shows_it(film):
    assert re.fullmatch(r"<video [^>]*src=\"data:video/mp4;base64,[A-Za-z0-9+/=]+\"></video>", film._repr_html_())
    assert picture(film)._repr_html_().startswith('<img title="a horse"')


def test_frames_are_pictures(film):
    assert [frame.size for frame in film.frames()] == [(48, 32)] * 5 and film.num_frames == 5 and film.seed == 3
