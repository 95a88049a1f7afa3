"""Camera movements in the words that models were trained on."""

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.prompting.camera import GALLOP_CAMERAS, RELEASED_CAMERAS, movement_of, with_camera
from muybridge.worlds.captions import _CAMERA_WORDS
from muybridge.worlds.movements import MOVEMENTS


def test_gallops_sentences_are_those_of_its_captions():
    assert {name: name in _CAMERA_WORDS for name in GALLOP_CAMERAS} == dict.fromkeys(_CAMERA_WORDS, True)
    assert all(sentence in _CAMERA_WORDS[name] for name, sentence in GALLOP_CAMERAS.items())


def test_the_papers_fourteen_are_there():
    assert tuple(RELEASED_CAMERAS) == MOVEMENTS and RELEASED_CAMERAS["static"] == "Static shot."


@pytest.mark.parametrize("word", ["pan_left", "pan left", "Pan-Left", " pan  left "])
def test_a_movement_may_be_written_in_several_ways(word):
    assert movement_of(word, GALLOP_CAMERAS) == "pan left"


def test_an_unknown_movement_is_refused_with_the_list():
    with pytest.raises(InvalidInput, match=r"camera=pan_up: this model was trained on static, pan_left, .*follow"):
        movement_of("pan_up", GALLOP_CAMERAS)


@pytest.mark.parametrize("prompt", ["a bus", "a bus.", "a bus. "])
def test_the_camera_follows_the_prompt_as_a_sentence(prompt):
    assert with_camera(prompt, "The camera pans left.") == "a bus. The camera pans left."
    assert with_camera("a bus!", "Pan left.") == "a bus! Pan left."
