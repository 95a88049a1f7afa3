"""Laws of other rates: frames repeated, dropped, blended, or made by motion."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from muybridge.core.errors import MediaError
from muybridge.media.retime import Motion, Rate, Retiming, mixed
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import read_video
from muybridge.media.writer import write_video
from tests.media.test_video import psnr

GAIN_DB = 5.0  # measured: 10, of motion over blending on the film below


def numbered(num_frames: int) -> list[np.ndarray]:
    """Frames that show their own number."""
    return [np.full((2, 2, 3), index, np.uint8) for index in range(num_frames)]


def moving(num_frames: int, *, size: int = 64) -> list[np.ndarray]:
    """A textured disc that crosses a textured ground."""
    y, x = np.mgrid[:size, :size]
    ground = np.random.default_rng(0).integers(60, 180, (8, 8, 3)).repeat(size // 8, 0).repeat(size // 8, 1)
    disc = np.random.default_rng(1).integers(0, 256, (size // 4, size // 4, 3)).repeat(4, 0).repeat(4, 1)
    films = []
    for index in range(num_frames):
        is_disc = ((x - 14 - 2 * index) ** 2 + (y - size // 2) ** 2 < 144)[..., None]
        films.append(np.where(is_disc, np.roll(disc, 2 * index, axis=1), ground).astype(np.uint8))
    return films


def through(retiming: Retiming, pictures: list[np.ndarray]) -> list[np.ndarray]:
    made = [each for picture in pictures for each in retiming.push(picture)]
    return made + list(retiming.flush())


@pytest.mark.parametrize(("fps", "output_fps"), [(24, 60), (24, 30), (24, 25), (30, 24), (60, 24), (24, 24), (25, 50)])
@pytest.mark.parametrize("num_frames", [1, 2, 17])
def test_every_moment_shows_what_the_film_shows_then(fps: int, output_fps: int, num_frames: int):
    rate = Rate(Fraction(fps), Fraction(output_fps), between="repeat")
    shown = [int(picture[0, 0, 0]) for picture in through(rate, numbered(num_frames))]
    assert shown == [index * fps // output_fps for index in range(len(shown))]
    assert len(shown) == -(-num_frames * output_fps // fps)  # as long as the film, to a frame


def test_blending_passes_evenly_from_frame_to_frame():
    frames = [np.full((2, 2, 3), level, np.uint8) for level in (0, 100, 200)]
    rate = Rate(Fraction(24), Fraction(96), between="blend")
    shown = [int(picture[0, 0, 0]) for picture in through(rate, frames)]
    assert shown == [0, 25, 50, 75, 100, 125, 150, 175, 200, 200, 200, 200]


def test_motion_keeps_the_frames_of_the_film_and_its_length():
    film = moving(5)
    made = through(Motion(3), film)
    assert len(made) == 15
    assert all(np.array_equal(made[3 * index], picture) for index, picture in enumerate(film))


def test_motion_is_nearer_to_the_frames_left_out_than_blending_is():
    film = moving(13)
    made = through(Motion(2), film[::2])
    pairs = [(made[index], mixed(film[index - 1], film[index + 1], share=0.5)) for index in range(1, 12, 2)]
    by_motion = [psnr(pair[0], film[2 * place + 1]) for place, pair in enumerate(pairs)]
    by_blending = [psnr(pair[1], film[2 * place + 1]) for place, pair in enumerate(pairs)]
    assert np.mean(by_motion) > np.mean(by_blending) + GAIN_DB


def test_motion_of_fine_frames_keeps_them():
    film = [picture.astype(np.uint16) * 257 + 3 for picture in moving(3)]
    made = through(Motion(2), film)
    assert all(each.dtype == np.uint16 for each in made) and np.array_equal(made[2], film[1])


def test_motion_is_the_same_twice():
    one, two = (through(Motion(2), moving(5)) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(one, two, strict=True))


def test_frames_too_small_for_motion_are_refused(tmp_path: Path):
    with pytest.raises(MediaError, match="motion needs 32 px"):
        write_video(
            tmp_path / "film.mp4", np.zeros((3, 16, 64, 3), np.uint8), fps=24, options=SaveOptions(interpolate=2)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_has_the_rate_that_was_asked_for(tmp_path: Path):
    options = SaveOptions(interpolate=2, output_fps=60)
    write_video(tmp_path / "film.mp4", np.stack(moving(6)), fps=24, options=options)
    frames, fps = read_video(tmp_path / "film.mp4")
    assert (len(frames), fps) == (15, 60)
