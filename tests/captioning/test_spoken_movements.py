import random

import pytest

from muybridge.captioning.spoken_movements import movement_called
from muybridge.worlds.movements import MOVEMENTS, movement_sentence


@pytest.mark.parametrize("movement", MOVEMENTS)
def test_every_sentence_of_the_worlds_names_its_class(movement):
    for seed in range(12):
        assert movement_called(movement_sentence(movement, random.Random(seed))) == movement


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("dolly in", "zoom in"), ("push-in", "zoom in"), ("the camera pulls back slowly", "zoom out"),
        ("truck left", "pan left"), ("pedestal up", "pan up"), ("crane down", "pan down"), ("PAN_LEFT", "pan left"),
        ("The camera slowly pans across the scene from left to right", "pan right"), ("swivels right", "tilt right"),
        ("rotates to the left", "tilt left"), ("tilts slightly downward", "tilt down"), ("looks up", "tilt up"),
        ("orbits clockwise", "around left"), ("arc shot to the right", "around right"),
        ("moves around to the left", "around left"), ("locked-off tripod shot", "static"), ("no movement", "static"),
        ("mostly still, then zooms in", "zoom in"), ("shaky hand-held shot", "handheld"),
        ("tracking shot that follows the dog", None), ("", None), ("roll", None),
    ],
)  # fmt: skip
def test_other_words_mean_what_the_camera_does(said, meant):
    assert movement_called(said) == meant
