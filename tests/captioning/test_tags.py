import numpy as np

from muybridge.captioning.captioner import ClipView, spread
from muybridge.captioning.facts import measured
from muybridge.captioning.schema import FIELDS, problems
from muybridge.captioning.tags import TagCaptioner
from tests.captioning.examples import view


def said(one):
    caption = TagCaptioner().caption([one])[0].caption
    assert caption and not problems({name: getattr(caption, name) for name in FIELDS})
    return caption


def test_nothing_is_said_that_was_not_measured():
    rng = np.random.default_rng(0)
    frames = rng.integers(60, 200, (3, 24, 32, 3), dtype=np.uint8)
    caption = said(ClipView(id="a", frames=frames, fps=24.0, duration_s=1.0))
    assert caption.short == caption.dense == "A video clip."
    empty = [getattr(caption, name) for name in ("background", "style", "shot_type", "lighting", "atmosphere")]
    assert not any(empty) and (caption.camera, caption.source, caption.quality) == ("unknown",) * 3


def test_measured_columns_are_said():
    caption = said(
        view(
            level=20, num_people=2.0, face_share=0.05, camera="zoom in", camera_confidence=0.9, technical=0.9,
            motion_kind="both", num_text_boxes=1.0, sound_kind="music",
        )
    )  # fmt: skip
    assert caption.short == "A dark black and white video clip of two people."
    assert caption.dense == (
        f"{caption.short} Camera and subject move. The camera zooms in. There is text in the picture. Music is heard."
    )
    assert (caption.shot_type, caption.lighting) == ("medium shot", "low light")
    assert (caption.camera, caption.quality) == ("zoom in", "high quality")


def test_a_camera_is_believed_only_when_it_is_sure():
    assert measured(view(camera="zoom in", camera_confidence=0.5)).camera is None
    assert measured(view(camera="zoom in")).camera is None
    assert measured(view(camera="sideways", camera_confidence=1.0)).camera is None


def test_a_picture_has_no_movement():
    caption = said(view(num_frames=1, camera="zoom in", camera_confidence=1.0, motion_kind="both"))
    assert (caption.camera, caption.source) == ("unknown", "still picture")
    assert "zoom" not in caption.dense and "move" not in caption.dense


def test_frames_are_spread_from_the_first_to_the_last():
    frames = np.arange(10, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3)
    assert spread(frames, 4)[:, 0, 0, 0].tolist() == [0, 3, 6, 9]
    assert len(spread(frames, 40)) == 10
