"""What becomes of text tells whether it was laid over the film."""

import numpy as np
import pytest

from muybridge.curation.text.overlay import Fate, Film, fate, is_overlaid
from muybridge.curation.text.rows import Line, Row
from tests.curation.text.drawn import FPS, NUM_FRAMES, WIDTH, changed, moving_ground, with_caption, with_sign

WORDS = "I never said that to anyone"


def row_of(frames: np.ndarray, plain: np.ndarray, *, frame: int) -> Row:
    ys, xs = np.nonzero(changed(frames, plain)[frame])
    box = int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1
    return Row(frame=frame, box=box, slant_degrees=0)


@pytest.mark.parametrize(
    ("speed_px", "words", "expected"),
    [
        (3, [WORDS], "held"),
        (0, [WORDS], "still"),
        (0, [WORDS, "Where are you?"], "changed"),
        (0, [WORDS, ""], "changed"),
    ],
)
def test_fates_of_captions(speed_px: int, words: list[str], expected: Fate) -> None:
    plain = moving_ground(speed_px=speed_px)
    frames = with_caption(plain, words)
    assert fate(row_of(frames, plain, frame=2), Film(frames=frames, fps=FPS), other=8) == expected


def test_a_sign_moves() -> None:
    plain = moving_ground()
    frames = with_sign(plain, "BAKERY")
    assert fate(row_of(frames, plain, frame=2), Film(frames=frames, fps=FPS), other=3) == "moved"


def test_slanted_text_and_text_off_centre_of_a_still_scene_stay() -> None:
    plain = moving_ground(speed_px=0)
    frames = with_caption(plain, [WORDS])
    row = row_of(frames, plain, frame=2)
    film = Film(frames=frames, fps=FPS)
    looked_at = (2, NUM_FRAMES - 2)
    assert is_overlaid(Line(rows=(row,)), film, looked_at=looked_at)
    slanted = Row(frame=2, box=row.box, slant_degrees=6)
    assert not is_overlaid(Line(rows=(slanted,)), film, looked_at=looked_at)
    aside = frames[:, :, : int(0.8 * WIDTH)]
    assert not is_overlaid(Line(rows=(row,)), Film(frames=aside, fps=FPS), looked_at=looked_at)
