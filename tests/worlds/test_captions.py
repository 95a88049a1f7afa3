"""Captions say what the scene shows, in grammatical and varied English."""

import re

import pytest

from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.captions import long_caption, short_caption, structured, with_article
from muybridge.worlds.drawn import drawn_library
from muybridge.worlds.motion import MOTIONS
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld
from muybridge.worlds.subjects import SUBJECTS

CAST = {subject.name: subject for subject in SUBJECTS}
SAYS = {
    "right": "right", "left": "left", "up": "up|rise|rising", "down": "down|sink", "toward": "closer|towards",
    "away": "away", "hop": "jump|bounce|bouncing", "circle": "circl",
}  # fmt: skip
SAYS_CAMERA = {
    "pan left": "pan.* left", "pan right": "pan.* right", "tilt up": "tilt.* up", "tilt down": "tilt.* down",
    "zoom in": "zooms? in", "zoom out": "zooms? out", "follow": "follows|along|tracking", "handheld": "handheld|shakes",
}  # fmt: skip
SAYS_PLACE = {
    "meadow": "meadow|flowers", "desert": "desert", "sea": "sea|ocean",
    "night": "night", "snow": "snow", "sunset": "sunset",
}  # fmt: skip


def _scene(**changes: object) -> Scene:
    facts = {
        "subject": "horse", "background": "meadow", "motion": "right", "camera": "static", "facing": "right",
        "size": 0.6, "offset": 0.0, "phase": 0.0, "detail_seed": 1,
    }  # fmt: skip
    return Scene(**{**facts, **changes})


def _texts(scene: Scene, number: int = 30, **options: bool) -> list[str]:
    return [short_caption(scene, CAST[scene.subject], variant=k, **options) for k in range(number)]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("orange bus", "an orange bus"),
        ("horse", "a horse"),
        ("elephant", "an elephant"),
        ("UFO", "a UFO"),
        ("T-Rex", "a T-Rex"),
    ],
)
def test_articles_follow_the_sound(phrase, expected):
    assert with_article(phrase) == expected


@pytest.mark.parametrize("motion", [motion for motion in MOTIONS if motion != "still"])
def test_every_wording_names_the_motion(motion):
    for text in _texts(_scene(motion=motion)):
        assert re.search(SAYS[motion], text.lower()), text


@pytest.mark.parametrize("camera", [camera for camera in CAMERAS if camera != "static"])
def test_every_wording_names_a_moving_camera(camera):
    for text in _texts(_scene(camera=camera, motion="still")):
        assert re.search(SAYS_CAMERA[camera], text.lower()), text


def test_a_static_camera_is_named_about_half_the_time():
    named = sum(bool(re.search("camera|shot", text.lower())) for text in _texts(_scene(), 200))
    assert 60 < named < 140


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_wording_names_the_background(background):
    for name in ("horse", "rocket", "whale"):
        for text in _texts(_scene(subject=name, background=background)):
            assert re.search(SAYS_PLACE.get(background, background), text.lower()), text


@pytest.mark.parametrize("name", CAST)
def test_every_wording_names_the_subject(name):
    subject = CAST[name]
    for text in _texts(_scene(subject=name, facing=subject.facing)):
        assert any(word.lower() in text.lower() for word in (subject.name, *subject.also)), text


def test_no_caption_has_a_wrong_article():
    for name, subject in CAST.items():
        for motion in MOTIONS:
            scene = _scene(subject=name, motion=motion, background="orange")
            for text in (*_texts(scene, 6), long_caption(scene, subject)):
                assert not re.search(r"\b[Aa] [aeioAEIO]", text), text
                assert not re.search(r"\b[Aa]n [^aeiouAEIOU]", text), text


def test_wordings_vary():
    assert len(set(_texts(_scene(), 40))) > 25


def test_the_left_is_never_called_right():
    for text in _texts(_scene(motion="left", facing="left"), 60):
        assert "to the right" not in text and not re.search(r"\bright\b(?!.*to left)", text), text


def test_captions_are_short_enough_for_a_small_text_window():
    world = SpritesWorld(SpritesConfig(), drawn_library())
    for index in range(200):
        for text in world.captions(world.scene(index), 2):
            assert 3 <= len(text.split()) <= 25, text


def test_picture_captions_mention_no_camera():
    for text in _texts(_scene(motion="still"), is_image=True):
        assert "camera" not in text.lower() and "shot" not in text.lower()


def test_long_captions_hold_every_fact():
    scene = _scene(background="night", camera="zoom in", motion="still")
    text = long_caption(scene, CAST["horse"])
    facts = structured(scene, CAST["horse"])
    for fact in ("horse", facts.background, facts.atmosphere, "zoom", "3D cartoon"):
        assert fact.lower() in text.lower(), fact
    assert facts.lighting.lower() in text.lower() and facts.camera == "zoom in"


def test_most_captions_begin_with_a_capital_and_all_later_sentences_do():
    texts = _texts(_scene(), 100)
    assert 75 < sum(text[0].isupper() for text in texts) < 100
    assert all(part[0].isupper() for text in texts for part in re.split(r"(?<=\.) ", text)[1:])
