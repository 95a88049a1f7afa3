"""Scenes fit together: suitable motions, visible subjects, one thing that moves."""

import random

from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.motion import motions_of
from muybridge.worlds.scene import draw_scene
from muybridge.worlds.subjects import SUBJECTS

CAST = {subject.name: subject for subject in SUBJECTS}
SCENES = [draw_scene(SUBJECTS, random.Random(seed)) for seed in range(1500)]


def test_motions_suit_the_subject():
    assert all(scene.motion in motions_of(CAST[scene.subject]) for scene in SCENES)


def test_no_subject_stands_on_its_own_colour():
    assert not any(set(BACKGROUNDS[scene.background].tones) & set(CAST[scene.subject].tones) for scene in SCENES)


def test_one_thing_moves_unless_the_camera_follows():
    for scene in SCENES:
        assert scene.motion == "still" or scene.camera in ("static", "follow")
        assert scene.camera != "follow" or scene.motion in ("left", "right")


def test_cameras_move_only_where_there_is_something_to_see():
    assert all(BACKGROUNDS[scene.background].is_place for scene in SCENES if scene.camera != "static")


def test_sideways_movers_look_where_they_go():
    for scene in SCENES:
        if scene.motion in ("left", "right") and CAST[scene.subject].facing != "front":
            assert scene.facing == scene.motion


def test_everything_occurs():
    assert {scene.subject for scene in SCENES} == set(CAST)
    assert {scene.background for scene in SCENES} == set(BACKGROUNDS)
    assert {scene.camera for scene in SCENES} == set(CAMERAS)
