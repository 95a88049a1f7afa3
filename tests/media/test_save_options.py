"""Laws of what a person may choose of how a result is written."""

from pathlib import Path

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.media.save_options import SaveOptions

CHOSEN = SaveOptions(codec="h265", crf=20, bits=10, output_fps=30, between="blend", stills=("first", "sheet"))


def test_what_was_chosen_is_recorded_and_read_back():
    assert SaveOptions.recorded({"output": CHOSEN.record(), "prompt": "a ball"}) == CHOSEN
    assert SaveOptions.recorded({"prompt": "a ball"}) == SaveOptions()
    assert SaveOptions().record() == {}


def test_what_is_said_now_goes_over_what_was_recorded():
    assert SaveOptions(codec="av1").over(CHOSEN).codec == "av1"
    assert SaveOptions(codec="av1").over(CHOSEN).stills == CHOSEN.stills


def test_the_size_of_the_file_is_decided_once():
    assert SaveOptions(bitrate="1M").over(CHOSEN).crf is None
    assert SaveOptions(crf=9).over(SaveOptions(bitrate="1M")).bitrate is None


def test_another_sound_leaves_the_hash_of_the_old_one_behind():
    before = SaveOptions(audio="/old.wav", audio_sha256="0" * 64)
    assert SaveOptions(audio="/new.wav").over(before).audio_sha256 is None
    assert SaveOptions(crf=9).over(before).audio_sha256 == "0" * 64


def test_words_of_the_command_line_become_options():
    given = {"stills": "first, sheet", "audio": Path("a.wav"), "crf": None, "prompt": "a ball"}
    assert SaveOptions.of(given) == SaveOptions(stills=("first", "sheet"), audio=str(Path.cwd() / "a.wav"))


@pytest.mark.parametrize(("options", "fps"), [({}, 24), ({"interpolate": 2}, 48), ({"output_fps": 30.0}, 30)])
def test_the_rate_of_the_file(options: dict, fps: float):
    assert SaveOptions(**options).fps_of(24) == fps


def test_a_name_that_was_not_chosen_fits_the_codec():
    names = {"h264": ".mp4", "av1": ".mp4", "prores": ".mov", "ffv1": ".mkv"}
    assert {codec: SaveOptions(codec=codec).usual_suffix for codec in names} == names


@pytest.mark.parametrize(
    "options",
    [
        {"codec": "theora"},
        {"crf": -1},
        {"crf": 1.5},
        {"crf": True},
        {"bits": 9},
        {"bitrate": "much"},
        {"bitrate": "1"},
        {"bitrate": "1M", "crf": 20},
        {"output_fps": 0},
        {"output_fps": float("nan")},
        {"output_fps": 1000},
        {"between": "blend"},
        {"between": "dream", "output_fps": 30},
        {"interpolate": 1},
        {"interpolate": 9},
        {"interpolate": 2.5},
        {"stills": ("middle",)},
    ],
)
def test_options_of_no_meaning_are_refused_in_one_line(options: dict):
    with pytest.raises(InvalidInput, match="^[^\n]+: [^\n]+; [^\n]+$"):
        SaveOptions(**options)
