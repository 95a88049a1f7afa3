"""Laws of films made of pictures."""

import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import MediaError
from muybridge.media.animation import durations_ms, read_animation
from muybridge.media.save_options import SaveOptions
from muybridge.media.video import read_metadata
from muybridge.media.writer import write_video
from tests.media.test_video import clip, psnr

GIF_DB = 33.0  # measured: see docs/how-to/output.md


@pytest.mark.parametrize("unit_ms", [1, 10])
@pytest.mark.parametrize("fps", [7.5, 12, 24, 23.976, 29.97, 50])
def test_frame_times_do_not_drift(fps, unit_ms):
    durations = durations_ms(200, fps=fps, unit_ms=unit_ms)
    true_ms = 1000 / fps * np.arange(1, 201)
    assert np.abs(np.cumsum(durations) - true_ms).max() <= unit_ms / 2 + 1e-9
    assert all(duration % unit_ms == 0 for duration in durations)


def test_transparent_parts_are_white(tmp_path):
    layers = [Image.new("RGBA", (8, 8), (255, 0, 0, alpha)) for alpha in (0, 255)]
    layers[0].save(tmp_path / "film.webp", save_all=True, append_images=layers[1:], duration=100, lossless=True)
    frames, fps = read_animation(tmp_path / "film.webp")
    assert frames[:, 0, 0].tolist() == [[255, 255, 255], [255, 0, 0]] and fps == 10


def test_a_picture_is_a_film_of_one_frame(tmp_path):
    Image.new("RGB", (8, 8), (0, 0, 255)).save(tmp_path / "still.webp", lossless=True)
    assert read_animation(tmp_path / "still.webp")[0].tolist() == np.full((1, 8, 8, 3), (0, 0, 255)).tolist()


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_damaged_animation_is_refused(tmp_path, suffix):
    (tmp_path / f"film{suffix}").write_bytes(b"GIF89a" + bytes(20))
    with pytest.raises(MediaError, match="film.*: is"):
        read_animation(tmp_path / f"film{suffix}")


def test_the_colours_of_a_gif_are_near_and_hold_still(tmp_path):
    frames = clip(9)
    write_video(tmp_path / "film.gif", frames, fps=25)
    read, fps = read_animation(tmp_path / "film.gif")
    assert fps == 25 and psnr(read, frames) > GIF_DB
    write_video(tmp_path / "still.gif", np.stack([frames[0], frames[4], frames[0]]), fps=25)
    again, _ = read_animation(tmp_path / "still.gif")
    assert np.array_equal(again[0], again[2])  # equal frames are dithered alike


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (47, 63)])
@pytest.mark.parametrize("suffix", [".gif", ".apng", ".webp"])
def test_any_size_will_do(tmp_path, size, suffix):
    frames = np.random.default_rng(0).integers(0, 256, (3, *size, 3), dtype=np.uint8)
    write_video(tmp_path / f"film{suffix}", frames, fps=10, metadata={"prompt": "x" * 1000})
    assert read_animation(tmp_path / f"film{suffix}")[0].shape == frames.shape
    assert read_metadata(tmp_path / f"film{suffix}") == {"prompt": "x" * 1000}


def test_a_gif_faster_than_browsers_play_is_refused(tmp_path):
    with pytest.raises(MediaError, match="up to 50 frames/s, not 60"):
        write_video(tmp_path / "film.gif", clip(3), fps=60)
    write_video(tmp_path / "film.gif", clip(6), fps=60, options=SaveOptions(output_fps=30))
    assert len(read_animation(tmp_path / "film.gif")[0]) == 3


def test_an_animated_png_is_exact(tmp_path):
    write_video(tmp_path / "film.apng", clip(5), fps=24)
    assert np.array_equal(read_animation(tmp_path / "film.apng")[0], clip(5))
