"""Laws of films made of pictures."""

import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import MediaError
from muybridge.media.animation import durations_ms, read_animation


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
