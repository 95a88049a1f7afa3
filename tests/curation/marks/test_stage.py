from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from muybridge.core.errors import WeightsError
from muybridge.curation.clip import Clip, Origin
from muybridge.curation.marks.stage import LIKELY, Marks
from muybridge.media.geometry import overlap

HEIGHT, WIDTH = 108, 192


def film(num_frames=8):
    """A soft landscape of colours under a camera that slides."""
    rng = np.random.default_rng(3)
    coarse = Image.fromarray(rng.integers(40, 220, (14, 40, 3), dtype=np.uint8))
    wide = np.asarray(coarse.resize((WIDTH + 8 * num_frames, HEIGHT), Image.Resampling.BICUBIC))
    return np.stack([wide[:, 8 * number : 8 * number + WIDTH] for number in range(num_frames)])


def stamped(frames, *, at=(8, 6)):
    """The frames with white words laid over them."""
    layer = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(layer).text(at, "MY CHANNEL", fill=200, font=ImageFont.load_default(size=12))
    opacity = np.asarray(layer, np.float32)[..., None] / 255
    return (frames * (1 - opacity) + 255 * opacity).astype(np.uint8)


def clip(frames):
    origin = Origin(id="a", uri="a.mp4", width_px=WIDTH, height_px=HEIGHT, fps=8.0)
    return Clip(
        id="b", origin=origin, start_s=0.0, end_s=1.0, frames=frames, fps=8.0, crop=(0, 0, frames.shape[2], HEIGHT)
    )


@pytest.fixture(scope="module")
def stage():
    made = Marks()
    made.setup()
    return made


def test_a_film_without_marks_is_left_as_it_is(stage):
    done = stage.process(clip(film()))
    assert done.values["mark_score"] < LIKELY
    assert (done.values["mark_kind"], done.values["mark_box"], done.values["mark_cropped_share"]) == ("none", None, 0)
    assert np.array_equal(done.frames, film())


def test_words_at_the_edge_are_found_and_cropped_away(stage):
    left, top, right, bottom = ImageFont.load_default(size=12).getbbox("MY CHANNEL")
    words = (8 + left, top, 8 + right, bottom)
    done = stage.process(clip(stamped(film(), at=(8, 0))))
    assert done.values["mark_kind"] == "watermark"
    assert overlap(done.values["mark_box"], words) > 0.4
    assert 0 < done.values["mark_cropped_share"] <= 0.15
    assert done.crop[1] >= bottom
    assert done.values["mark_score"] < LIKELY


def test_words_in_the_middle_stay_and_are_told(stage):
    done = stage.process(clip(stamped(film(), at=(60, 48))))
    assert done.values["mark_score"] >= LIKELY and done.values["mark_cropped_share"] == 0
    assert 0 < done.values["mark_share"] < 0.2


def test_every_column_is_written_for_a_picture_too(stage):
    done = stage.process(clip(film(1)))
    assert done.values.keys() == stage.outputs.keys()


def test_equal_clips_have_equal_values(stage):
    assert stage.process(clip(stamped(film()))).values == stage.process(clip(stamped(film()))).values


def test_a_file_that_is_no_network_is_refused(tmp_path: Path):
    (tmp_path / "none.safetensors").write_bytes(b"none")
    with pytest.raises(WeightsError, match="train it again"):
        Marks(tmp_path / "none.safetensors").setup()
