"""Captions go, scene text and pictures without text stay as they are, and what is left is measured."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest

from muybridge.core.errors import InvalidInput
from muybridge.curation.clip import Box, Clip
from muybridge.curation.text.reader import TextBox
from muybridge.curation.text.rows import area
from muybridge.curation.text.strokes import StrokeReader
from muybridge.curation.text.subtitles import Subtitles
from muybridge.media.frames import Frames, Picture
from tests.curation.text.drawn import HEIGHT, WIDTH, changed, clip_of, moving_ground, with_caption, with_sign

WORDS = ["I never said that to anyone", "You were right about him", "Where are you going so late?"]


class TruthReader:
    """Finds the pixels in which a film differs from itself without text; reads the same everywhere."""

    version = 1

    def __init__(self, frames: Frames, plain: Frames, *, says: str = "Call 555-123-4567") -> None:
        self.says = says
        self.boxes = {frame.tobytes(): _rows(mask) for frame, mask in zip(frames, changed(frames, plain), strict=True)}

    def prepare(self) -> None:
        """Nothing."""

    def setup(self) -> None:
        """Nothing."""

    def detect(self, picture: Picture) -> tuple[TextBox, ...]:
        """The rows that were drawn."""
        return tuple(TextBox(box=box, score=1.0) for box in self.boxes.get(picture.tobytes(), ()))

    def read(self, picture: Picture, boxes: Sequence[Box]) -> tuple[str, ...]:
        """The same for each."""
        return tuple(self.says for _ in boxes)


def _rows(mask: np.ndarray) -> list[Box]:
    ys = np.flatnonzero(mask.any(1))
    parts = np.split(ys, np.flatnonzero(np.diff(ys) > 2) + 1) if ys.size else []
    found = []
    for part in parts:
        xs = np.flatnonzero(mask[part[0] : part[-1] + 1].any(0))
        found.append((int(xs[0]), int(part[0]), int(xs[-1]) + 1, int(part[-1]) + 1))
    return found


def processed(frames: Frames, plain: Frames) -> Clip:
    return Subtitles(reader=TruthReader(frames, plain)).process(clip_of(frames))


def left_over(done: Clip, frames: Frames, plain: Frames) -> float:
    left, top, right, bottom = done.crop
    mask = changed(frames, plain)
    return float(mask[:, top:bottom, left:right].sum() / mask.sum())


@pytest.mark.parametrize("speed_px", [3, 0])
@pytest.mark.parametrize("words", [WORDS[:1], WORDS])
@pytest.mark.parametrize("top", [0.87, 0.02])
def test_captions_are_cropped_away(speed_px: int, words: list[str], top: float) -> None:
    plain = moving_ground(speed_px=speed_px)
    frames = with_caption(plain, words, top=top)
    done = processed(frames, plain)
    lost = done.values["subtitle_share"]
    assert left_over(done, frames, plain) == 0
    assert isinstance(lost, float) and 0 < lost <= 0.15
    assert lost == pytest.approx(1 - area(done.crop) / (HEIGHT * WIDTH))
    assert done.values["text_share"] == 0 and done.values["text"] == ()


def test_a_caption_of_a_still_picture_is_cropped_away() -> None:
    plain = moving_ground()[:1]
    frames = with_caption(plain, WORDS[:1])
    assert left_over(processed(frames, plain), frames, plain) == 0


def test_a_line_between_the_frames_that_were_looked_at_goes_as_well() -> None:
    plain = moving_ground()
    frames = with_caption(plain, WORDS[:1], top=0.9)
    higher = with_caption(plain, WORDS[1:2], top=0.86)
    frames[7:10] = higher[7:10]
    assert left_over(processed(frames, plain), frames, plain) == 0


def test_signs_that_move_with_the_scene_are_counted_and_stay() -> None:
    plain = moving_ground()
    frames = with_sign(plain, "BAKERY 24 HOURS")
    done = processed(frames, plain)
    assert done.crop == (0, 0, WIDTH, HEIGHT) and done.values["subtitle_share"] == 0
    assert done.values["num_text_boxes"] == 1
    share = done.values["text_share"]
    assert isinstance(share, float) and 0.02 < share < 0.1


def test_captions_in_the_middle_stay_and_are_counted() -> None:
    plain = moving_ground()
    done = processed(with_caption(plain, WORDS[:1], top=0.5), plain)
    assert done.values["subtitle_share"] == 0
    assert done.values["num_text_boxes"] == 1


def test_what_is_read_is_redacted() -> None:
    plain = moving_ground()
    assert processed(with_sign(plain, "BAKERY"), plain).values["text"] == ("Call [phone]",)


@pytest.mark.parametrize("says", ["", "m"])
def test_texture_in_which_nothing_can_be_read_is_no_text(says: str) -> None:
    plain = moving_ground()
    frames = with_sign(plain, "BAKERY 24 HOURS")
    done = Subtitles(reader=TruthReader(frames, plain, says=says)).process(clip_of(frames))
    assert (done.values["text_share"], done.values["num_text_boxes"], done.values["text"]) == (0, 0, ())


def test_films_without_text_pass_unchanged() -> None:
    plain = moving_ground()
    clip = clip_of(plain)
    done = Subtitles(reader=StrokeReader()).process(clip)
    assert done.frames is clip.frames
    assert dict(done.values) == {"subtitle_share": 0, "text_share": 0, "num_text_boxes": 0, "text": ()}


def test_the_stage_writes_what_it_declares_and_travels_before_setup() -> None:
    stage = pickle.loads(pickle.dumps(Subtitles(reader=StrokeReader())))
    assert stage.process(clip_of(moving_ground())).values.keys() == stage.outputs.keys()


def test_strokes_find_a_caption_without_a_network() -> None:
    plain = moving_ground(speed_px=4, height=288, width=480)
    frames = with_caption(plain, WORDS[:1], font_px=18)
    done = Subtitles(reader=StrokeReader()).process(clip_of(frames))
    assert left_over(done, frames, plain) <= 0.01


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInput, match="max_loss=1"):
        Subtitles(reader=StrokeReader(), max_loss=1)
    with pytest.raises(InvalidInput, match="3 frames or more"):
        Subtitles(reader=StrokeReader(), max_looks=2)
