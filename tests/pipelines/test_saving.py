"""Results written as people use them."""

import av
import numpy as np
import pytest

from muybridge import SaveOptions, Video, read_settings
from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.image import read_image
from muybridge.media.video import read_video
from tests.media.test_sound import tone
from tests.pipelines.tiny import SMALL, pipeline


@pytest.fixture(scope="module")
def film() -> Video:
    return pipeline()("a horse", seed=3, fps=12, bits=10, **SMALL)


def depth_of(path) -> int:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.format.components[0].bits


def test_ten_bits_come_from_the_decoder(film):
    plain = pipeline()("a horse", seed=3, fps=12, **SMALL)
    assert plain.fine is None and film.fine is not None
    assert np.array_equal(plain.pixels, film.pixels) and np.array_equal(plain.latents, film.latents)
    assert np.abs(film.fine / 257 - film.pixels).max() <= 0.5 + 1e-3
    assert len(np.unique(film.fine)) > 2 * len(np.unique(film.pixels))


@pytest.mark.parametrize(
    ("name", "options", "bits"),
    [
        ("ball.mp4", {"codec": "h265", "bits": 10}, 10),
        ("ball.mp4", {"codec": "h264"}, 8),
        ("ball.mov", {"codec": "prores"}, 10),
    ],
)
def test_a_file_has_the_depth_that_was_asked_for(film, tmp_path, name, options, bits):
    assert depth_of(film.save(tmp_path / name, options=SaveOptions(**options))) == bits


def test_eight_bits_are_not_sold_as_ten(film, tmp_path):
    plain = Video(pixels=film.pixels, fps=film.fps, settings=film.settings, latents=film.latents)
    with pytest.raises(InvalidInput, match="made with 8 bits; make it with bits=10"):
        plain.save(tmp_path / "ball.mp4", options=SaveOptions(bits=10))
    assert list(tmp_path.iterdir()) == []


def test_what_was_chosen_is_recorded_inside_and_beside(film, tmp_path):
    options = SaveOptions(codec="h265", crf=20, stills=("first",))
    path = film.save(tmp_path / "ball.mp4", options=options)
    for file in (path, path.with_suffix(".json")):
        assert SaveOptions.recorded(read_settings(file)) == options
    assert "output" not in film.settings
    again = film.save(tmp_path / "again.mp4", options=SaveOptions.recorded(read_settings(path)))
    assert again.read_bytes() == path.read_bytes()


def test_a_result_is_repeated_with_the_very_sound_that_it_had(film, tmp_path):
    path = film.save(tmp_path / "ball.mp4", options=SaveOptions(audio=str(tone(tmp_path / "hum.wav", 0.3))))
    recorded = SaveOptions.recorded(read_settings(path))
    assert recorded.audio == str(tmp_path / "hum.wav") and len(recorded.audio_sha256 or "") == 64
    again = film.save(tmp_path / "again.mp4", options=recorded)
    assert again.read_bytes() == path.read_bytes()
    tone(tmp_path / "hum.wav", 0.3, hertz=220)
    with pytest.raises(InvalidInput, match="audio .* was made with .* bring the file back"):
        film.save(tmp_path / "other.mp4", options=recorded)
    assert not (tmp_path / "other.mp4").exists()


def test_stills_lie_beside_the_film(film, tmp_path):
    film.save(tmp_path / "ball.mp4", options=SaveOptions(stills=("first", "last", "sheet")))
    names = ["ball.first.png", "ball.json", "ball.last.png", "ball.mp4", "ball.sheet.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert np.array_equal(read_image(tmp_path / "ball.last.png"), film.pixels[-1])


def test_numbered_pictures_are_repeated_from_any_of_them(film, tmp_path):
    film.save(tmp_path / "f-%02d.png")
    assert read_settings(tmp_path / "f-03.png") == read_settings(tmp_path / "f.json")


def test_a_film_keeps_its_length_at_another_rate(film, tmp_path):
    film.save(tmp_path / "ball.mp4", options=SaveOptions(interpolate=2, output_fps=36))
    frames, fps = read_video(tmp_path / "ball.mp4")
    assert fps == 36 and len(frames) == 3 * film.num_frames


@pytest.mark.parametrize("options", [{"codec": "h264"}, {"crf": 3}, {"interpolate": 2}, {"audio": "hum.wav"}])
def test_a_picture_takes_no_options_of_films(film, tmp_path, options):
    still = Video(pixels=film.pixels[:1], fps=12, settings=film.settings, latents=film.latents)
    with pytest.raises(MediaError, match="a picture takes no"):
        still.save(tmp_path / "ball.png", options=SaveOptions(**options))
    assert list(tmp_path.iterdir()) == []
