"""`generate --from FILE` makes a film from its pictures and films again, to the bit."""

import pytest

from muybridge.media.video import read_video
from tests.pipelines.conditions.pictures import film, gradient, mask, picture


@pytest.mark.parametrize("words", [
    ["--image", "a.png"],
    ["--image", "a.png", "--last-image", "b.png"],
    ["--keyframe", "4=a.png", "--keyframe", "0.34s=b.png"],
    ["--video", "a.mkv", "--strength", "0.5"],
    ["--video", "a.mkv", "--mask", "mask.png"],
    ["--extend", "a.mkv", "--overlap", "5"],
    ["--extend", "a.mkv", "--overlap", "5", "--direction", "backwards"],
    ["--loop"],
    ["--loop", "--image", "a.png"],
], ids=" ".join)  # fmt: skip
def test_a_film_is_repeated_from_its_record(generate, folder, words):
    picture(folder / "a.png")
    picture(folder / "b.png", gradient()[::-1].copy())
    film(folder / "a.mkv", 9)
    mask(folder / "mask.png", white=(0, 0, 24, 32))
    lossless = ["--codec", "ffv1"]
    first = generate("a horse", *words, *lossless, "--seed", "3", "-o", "first.mkv", frames=9)
    assert first.code == 0, first.err
    again = generate("--from", "first.mkv", "-o", "again.mkv", frames=None)
    assert again.code == 0, again.err
    made, repeated = (read_video(folder / name)[0] for name in ("first.mkv", "again.mkv"))
    assert made.shape == repeated.shape and (made == repeated).all()
