"""How results are written, from the command line."""

import pytest

from muybridge import read_settings
from muybridge.media.probe import probe


def test_a_film_is_written_as_asked(generate, folder):
    outcome = generate("a horse", "--codec", "h265", "--bits", "10", "--stills", "first,sheet", "-o", "ball.mp4")
    assert outcome.code == 0, outcome.err
    facts = probe(folder / "ball.mp4")
    assert (facts.codec, facts.bit_depth) == ("hevc", 10)
    assert {"ball.first.png", "ball.sheet.png"} <= {path.name for path in folder.iterdir()}


def test_a_repeated_film_is_written_alike(generate, run, folder):
    generate("a horse", "--seed", "3", "--codec", "h265", "--crf", "30", "--output-fps", "10", "-o", "one.mp4")
    assert run("generate", "--from", "one.mp4", "-o", "two.mp4").code == 0
    assert (folder / "one.mp4").read_bytes() == (folder / "two.mp4").read_bytes()
    assert read_settings(folder / "two.mp4")["output"] == {"codec": "h265", "crf": 30, "output_fps": 10.0}


def test_a_name_that_was_not_chosen_fits_the_codec(generate, folder):
    assert generate("a horse", "--seed", "3", "--codec", "prores", "-o", "films/").code == 0
    assert [path.name for path in (folder / "films").glob("*.mov")] == ["a-horse-3.mov"]


def test_seconds_are_the_nearest_length_that_films_have(generate, folder):
    assert generate("a horse", "--seconds", "1", "--fps", "8", "-o", "ball.mp4", frames=None).code == 0
    assert probe(folder / "ball.mp4").num_frames == 9


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--codec", "prores", "-o", "a.mp4"), "does not hold prores"),
        (("--codec", "theora", "-o", "a.mp4"), "is none that films are written in"),
        (("--crf", "3", "--bitrate", "1M", "-o", "a.mp4"), "leave one out"),
        (("--audio", "none.wav", "-o", "a.mp4"), "no such file"),
        (("--bits", "10", "-o", "a.webm"), "vp9 is not written so"),
        (("--output-fps", "60", "-o", "a.gif"), "up to 50 frames/s"),
        (("--stills", "middle", "-o", "a.mp4"), "are first, last, sheet"),
        (("--seconds", "-1", "-o", "a.mp4"), "length above 0"),
    ],
)
def test_what_cannot_be_written_is_told_before_the_work(generate, folder, words, message):
    frames = None if "--seconds" in words else 5
    outcome = generate("a horse", *words, frames=frames)
    assert outcome.code == 2 and message in outcome.err.replace("\n", " ") and list(folder.iterdir()) == []
