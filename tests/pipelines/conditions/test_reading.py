"""Pictures and films of every kind become the same pixels, or one line."""

import numpy as np
import pytest
import torch
from PIL import Image

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.frames import from_uint8
from muybridge.pipelines.conditions import reading
from muybridge.pipelines.conditions.media_ref import MediaRef
from tests.pipelines.conditions.pictures import film, gradient, moving, picture

JPEG_ERROR, CMYK_ERROR = 8, 20  # levels: compression, and two conversions


def read(path) -> np.ndarray:
    return reading.picture(MediaRef.of(path))[0].astype(int)


def test_an_ordinary_picture_is_read_as_it_is(tmp_path):
    assert (read(picture(tmp_path / "a.png")) == gradient()).all()


def test_a_camera_that_was_turned_is_turned_back(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90 clockwise to show"
    Image.fromarray(np.rot90(gradient()).copy()).save(tmp_path / "a.png", exif=exif)
    assert (read(tmp_path / "a.png") == gradient()).all()
    assert reading.size_px(MediaRef.of(tmp_path / "a.png")) == (48, 32)


def test_cmyk_is_read_as_its_colours(tmp_path):
    Image.fromarray(gradient()).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read(tmp_path / "a.jpg") - gradient()).mean() < CMYK_ERROR


def test_16_bits_keep_their_brightness(tmp_path):
    levels = np.linspace(0, 65535, 48 * 32).reshape(32, 48).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert np.abs(read(tmp_path / "a.png")[..., 0] - levels / 257).max() <= 0.5


def test_transparent_parts_are_white(tmp_path):
    Image.new("RGBA", (48, 32), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (read(tmp_path / "a.png") == 255).all()


def test_an_animation_as_a_picture_is_its_first_frame(tmp_path):
    first, second = (Image.new("RGB", (48, 32), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second])
    assert (read(tmp_path / "a.gif")[0, 0] == (255, 0, 0)).all()


def test_one_pixel_is_a_picture_of_one_colour(tmp_path):
    frames = reading.picture(MediaRef.of(picture(tmp_path / "a.png", np.full((1, 1, 3), 7, np.uint8))))
    assert (reading.fitted(frames, width=48, height=32) == 7).all()


def test_a_huge_picture_is_refused_before_it_is_unpacked(tmp_path):
    Image.new("1", (20000, 20000)).save(tmp_path / "a.png")
    with pytest.raises(MediaError, match="use a smaller picture"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_a_damaged_picture_is_one_line(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(MediaError, match=r"a\.png") as error:
        read(tmp_path / "a.png")
    assert "\n" not in str(error.value)


def test_a_cut_picture_is_one_line(tmp_path):
    whole = picture(tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"a\.png"):
        read(tmp_path / "a.png")


def test_pixels_in_memory_are_what_they_say():
    still, clip = gradient(), moving(5)
    tensor = from_uint8(clip)
    for given, expected in ((still, still[None]), (Image.fromarray(still), still[None]), (clip, clip), (tensor, clip),
                            (tensor[:, 0], clip[:1])):  # fmt: skip
        ref = MediaRef.of(given)
        assert (reading.film(ref, fps=24) == expected).all() and ref.sha256 == MediaRef.of(given).sha256


@pytest.mark.parametrize("given", [7, None, np.zeros((4, 4)), np.zeros((4, 4, 4), np.uint8), torch.zeros(3, 4),
                                   torch.full((3, 4, 4), torch.nan), np.zeros((0, 4, 4, 3), np.uint8)])  # fmt: skip
def test_other_things_are_no_pictures(given):
    with pytest.raises(InvalidInput):
        MediaRef.of(given)


@pytest.mark.parametrize(("fps", "expected"), [(24, 16), (12, 8), (48, 32), (8, 5)])
def test_films_are_resampled_by_time(tmp_path, fps, expected):
    ref = MediaRef.of(film(tmp_path / "a.mp4", 16, fps=24))
    frames = reading.film(ref, fps=fps)
    assert len(frames) == reading.num_frames_at(ref, fps) == expected
    whole = reading.film(ref, fps=24)
    for index in range(expected):
        assert (frames[index] == whole[int(index * 24 / fps + 1e-3)]).all()


def test_what_is_larger_is_cropped_around_the_middle():
    frames = reading.fitted(gradient(96, 32)[None], width=48, height=32)
    assert np.abs(frames[0].astype(int) - gradient(96, 32)[:, 24:72]).max() <= 1


def test_a_file_that_is_lost_or_changed_is_refused(tmp_path):
    ref = MediaRef.of(picture(tmp_path / "a.png")).identified("image")
    assert ref.path == str(tmp_path / "a.png") and len(str(ref.sha256)) == 64
    picture(tmp_path / "a.png", gradient()[::-1].copy())
    with pytest.raises(InvalidInput, match="bring the file back"):
        ref.identified("image")
    (tmp_path / "a.png").unlink()
    with pytest.raises(InvalidInput, match="no such file"):
        ref.identified("image")


def test_pixels_that_were_in_memory_cannot_be_repeated_from_a_record():
    with pytest.raises(InvalidInput, match="pixels in memory"):
        MediaRef(sha256="0" * 64).identified("image")
