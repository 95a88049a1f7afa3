"""Sizes in the words people use."""

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.sizes import format_size, parse_size
from muybridge.weights.catalog import resolve

RELEASED = resolve("hunyuanvideo").native_sizes
SQUARE = {"128p": ((128, 128),)}


def parsed(size=None, aspect=None, *, default=(1280, 720), native=RELEASED):
    return parse_size(size, aspect, default=default, native=native)


def test_pixels_are_taken_as_written():
    assert parsed("640x352") == parsed("640X352") == parsed("640×352") == (640, 352)
    assert format_size(640, 352) == "640x352"


def test_presets_are_the_released_sizes():
    assert parsed("720p") == parsed("720p", "16:9") == (1280, 720)
    assert parsed("720p", "9:16") == (720, 1280)
    assert parsed("720p", "4:3") == (1104, 832) and parsed("720p", "3:4") == (832, 1104)
    assert parsed("540p", "1:1") == (720, 720) and parsed("540p", "16:9") == (960, 544)


def test_the_only_size_of_a_preset_needs_no_aspect():
    assert parsed("128p", native=SQUARE, default=(128, 128)) == (128, 128)


def test_nothing_chosen_is_the_default():
    assert parsed() == (1280, 720)


def test_an_aspect_alone_takes_the_native_size_of_the_default_preset():
    assert parsed(aspect="9:16") == (720, 1280) and parsed(aspect="1:1") == (960, 960)


def test_an_aspect_alone_keeps_the_area_where_there_is_no_native_size():
    width, height = parsed(aspect="16:9", native=SQUARE, default=(128, 128))
    assert (width, height) == (176, 96) and abs(width * height / 128**2 - 1) < 0.1


@pytest.mark.parametrize(
    ("size", "aspect"),
    [("big", None), ("128", None), ("x128", None), ("128x", None), ("-16x16", None), ("1080p", None), ("", None),
     ("128x128", "16:9"), ("720p", "21:9"), ("720p", "wide"), (None, "0:1"), (None, "100:1"), (None, "16/9")],
)  # fmt: skip
def test_other_words_are_refused(size, aspect):
    with pytest.raises(InvalidInput, match="; "):
        parsed(size, aspect)
