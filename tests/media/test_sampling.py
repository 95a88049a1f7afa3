"""Chosen moments of films."""

import io
from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media import sampling
from muybridge.media.sampling import read_at
from muybridge.media.video import CutShort, read_video
from tests.data.films import HEIGHT, WIDTH, levels, write_film, write_film_damaged_inside, write_gif, write_picture

CODING = 4  # grey levels: what lossy coding and limited range cost


def greys(path: Path, times_s: list[float], **options: object) -> np.ndarray:
    return read_at(path, times_s, fit=lambda picture: picture, **options)[:, 5, -5, 0].astype(int)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.avi"])
def test_every_frame_can_be_had_by_its_time(tmp_path: Path, name: str) -> None:
    path = write_film(tmp_path / name, 9)
    assert np.abs(greys(path, [index / 24 for index in range(9)]) - levels(9)).max() <= CODING
    assert np.abs(greys(path, [index / 24 for index in (1, 4, 7)]) - levels(9)[[1, 4, 7]]).max() <= CODING


def test_a_film_of_uneven_frames_is_read_by_its_clock(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", 6, gaps=(300, 100))  # frames start at 0, 3, 4, 7, 8, 11 of 1/24 s
    shown = [0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 5]
    times = [index / 24 - 0.03 if index in (1, 2, 5, 6, 9, 10) else index / 24 for index in range(12)]
    assert np.abs(greys(path, times) - levels(6)[shown]).max() <= CODING


def test_seeking_finds_what_reading_from_the_start_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for gop in (7, 60):
        path = write_film(tmp_path / f"{gop}.mp4", 36, gop=gop)
        times = [index / 24 for index in (25, 27, 31)]
        whole = greys(path, times)
        monkeypatch.setattr(sampling, "SEEK_FROM_S", 0.5)
        assert np.array_equal(greys(path, times), whole)
        monkeypatch.undo()


def test_a_turned_film_is_upright_and_as_read_whole(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", rotation_deg=90)
    frames = read_at(path, [0.0], fit=lambda picture: picture)
    assert frames.shape == (1, WIDTH, HEIGHT, 3)
    assert np.array_equal(frames[0], read_video(path)[0][0])


def test_pictures_and_animations_are_films_too(tmp_path: Path) -> None:
    assert greys(write_picture(tmp_path / "a.png", level=77), [0.0]).tolist() == [77]
    path = write_gif(tmp_path / "a.gif")
    assert np.abs(greys(path, [0.0, 0.1, 0.4]) - levels(9)[[0, 2, 8]]).max() <= CODING
    assert np.array_equal(greys(path, [0.1], data=io.BytesIO(path.read_bytes())), greys(path, [0.1]))


def test_frames_are_fitted_one_by_one(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4")
    assert read_at(path, [0.0, 0.1], fit=lambda picture: picture[:16, :16]).shape == (2, 16, 16, 3)


def test_a_moment_behind_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CutShort, match="before 2.00 s"):
        greys(write_film(tmp_path / "a.mp4"), [0.0, 2.0])


def test_damage_is_an_error_where_it_lies(tmp_path: Path) -> None:
    path = write_film_damaged_inside(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match="a.mp4"):
        greys(path, [index / 24 for index in range(24)])
