"""Laws of picture files."""

import numpy as np
import pytest
from PIL import Image

from muybridge.core.errors import MediaError
from muybridge.media.image import IMAGE_SUFFIXES, read_image, read_metadata, write_image

SETTINGS = {"prompt": 'ein "Ball" — 球 🐎', "seed": 7}
every_format = pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)


def picture():
    y, x = np.mgrid[:24, :40]
    return np.stack([6 * x, 10 * y, 3 * (x + y)], axis=-1).astype(np.uint8)


@every_format
def test_a_picture_keeps_its_look(tmp_path, suffix):
    write_image(tmp_path / f"p{suffix}", picture())
    read = read_image(tmp_path / f"p{suffix}")
    assert read.shape == picture().shape and read.dtype == np.uint8
    worst = np.abs(read.astype(int) - picture()).mean()
    assert worst == 0 if suffix == ".png" else worst < 3  # lossy formats measured at 1 to 2 levels


@every_format
def test_settings_travel_inside(tmp_path, suffix):
    write_image(tmp_path / f"p{suffix}", picture(), metadata=SETTINGS)
    assert read_metadata(tmp_path / f"p{suffix}") == SETTINGS


@every_format
def test_a_picture_without_settings_has_none(tmp_path, suffix):
    write_image(tmp_path / f"p{suffix}", picture())
    assert read_metadata(tmp_path / f"p{suffix}") is None


@every_format
def test_equal_pictures_give_equal_bytes(tmp_path, suffix):
    for name in ("one", "two"):
        write_image(tmp_path / f"{name}{suffix}", picture(), metadata=SETTINGS)
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_a_camera_held_sideways_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned a quarter: rotate by 270 degrees to view
    Image.fromarray(picture()).save(tmp_path / "p.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "p.png"), np.rot90(picture(), k=-1))


@pytest.mark.parametrize(("background", "seen"), [((255, 255, 255), 255), ((0, 0, 0), 0)])
def test_transparent_parts_show_the_background(tmp_path, background, seen):
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[..., 0] = 200  # red that nobody should see: alpha is 0
    Image.fromarray(rgba).save(tmp_path / "p.png")
    assert np.all(read_image(tmp_path / "p.png", background=background) == seen)


def test_half_transparent_is_half_seen(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 128)).save(tmp_path / "p.png")
    assert np.all(read_image(tmp_path / "p.png") == 127)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "LA"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    name = "p.tiff" if mode == "CMYK" else "p.png"
    Image.fromarray(picture()).convert(mode).save(tmp_path / name)
    assert read_image(tmp_path / name).shape == (24, 40, 3)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    levels = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png")[..., 0], np.round(levels / 257))


def test_a_range_that_nothing_states_is_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "p.tiff")
    with pytest.raises(MediaError, match="has no known range"):
        read_image(tmp_path / "p.tiff")


def test_damaged_pictures_are_refused(tmp_path):
    write_image(tmp_path / "p.png", picture())
    data = (tmp_path / "p.png").read_bytes()
    for name, content in (("cut.png", data[:-40]), ("empty.png", b""), ("text.png", b"hello" * 50)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MediaError, match=f"{name}: is (not a picture|damaged)") as caught:
            read_image(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(MediaError, match="no such file"):
        read_image(tmp_path / "none.png")
    with pytest.raises(MediaError):
        read_image(tmp_path)


def test_a_picture_too_large_to_trust_is_refused(tmp_path, monkeypatch):
    write_image(tmp_path / "p.png", picture())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MediaError, match="use a smaller picture"):
        read_image(tmp_path / "p.png")


def test_bad_requests_are_refused_and_write_nothing(tmp_path):
    for name, options in (("p.bmp", {}), ("p.jpg", {"quality": 0}), ("p.jpg", {"metadata": {"x": "y" * 70_000}})):
        with pytest.raises(MediaError):
            write_image(tmp_path / name, picture(), **options)
    assert list(tmp_path.iterdir()) == []
