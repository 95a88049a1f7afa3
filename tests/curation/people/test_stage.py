import numpy as np
import pytest

from muybridge.curation.people.centerface import frontality
from muybridge.curation.people.discs import BrightDiscs
from muybridge.curation.people.finder import FaceFinder
from muybridge.curation.people.nudity import prepared
from muybridge.curation.people.stage import People, body_share_of
from tests.curation.people.discs import HEIGHT, WIDTH, clip, film


def measured(discs):
    return People(finder=FaceFinder(BrightDiscs())).process(clip(film(discs))).values


def test_a_large_face_most_of_the_time_is_a_portrait():
    values = measured({number: [(30, 20, 8)] for number in range(13)})
    assert values["is_portrait"]
    assert (values["num_faces"], values["num_people"], values["nsfw"]) == (1, 1, None)
    assert values["face_size_px"] == pytest.approx(16, abs=1)
    assert values["face_share"] == pytest.approx(16**2 / (HEIGHT * WIDTH), rel=0.1)
    assert values["face_share"] < values["body_share"] <= 1


@pytest.mark.parametrize(
    "placed",
    [
        pytest.param([(14, 20, 8), (46, 20, 8)], id="two"),
        pytest.param([(30, 20, 3)], id="small"),
    ],
)
def test_two_faces_or_a_small_one_are_no_portrait(placed):
    values = measured(dict.fromkeys(range(13), placed))
    assert not values["is_portrait"]
    assert values["num_faces"] == len(placed)


def test_someone_small_in_the_background_leaves_it_a_portrait():
    assert measured(dict.fromkeys(range(13), [(20, 20, 9), (56, 8, 3)]))["is_portrait"]


def test_a_face_at_the_end_only_is_no_portrait():
    values = measured({11: [(30, 20, 8)], 12: [(30, 20, 8)]})
    assert not values["is_portrait"] and values["num_faces"] == 1


def test_without_faces_shares_are_0_and_sizes_none():
    values = measured({})
    assert (values["num_faces"], values["face_share"], values["body_share"]) == (0, 0, 0)
    assert values["face_size_px"] is None and values["is_portrait"] is False


@pytest.mark.parametrize("has_faces", [True, False])
def test_bodies_are_counted_with_the_faces_they_have(has_faces):
    finder = FaceFinder(BrightDiscs()) if has_faces else None
    stage = People(finder=finder, bodies=BrightDiscs())
    values = stage.process(clip(film(dict.fromkeys(range(13), [(14, 20, 8), (46, 20, 6)])))).values
    assert values["num_people"] == 2 and values["is_portrait"] == (False if has_faces else None)
    assert values["body_share"] == pytest.approx(16**2 / (HEIGHT * WIDTH), rel=0.1)
    assert values["num_faces"] == (2 if has_faces else None) and stage.bodies_by == "discs 1"


def test_without_networks_nothing_is_said():
    stage = People()
    stage.setup()
    assert set(stage.process(clip(film({}))).values.values()) == {None}


def test_a_body_below_a_face_ends_at_the_picture():
    assert body_share_of((40, 5, 50, 15), width=100, height=100) == pytest.approx(0.3 * 0.75)
    assert body_share_of((40, 80, 60, 100), width=100, height=100) == pytest.approx(0.6 * 0.25)


@pytest.mark.parametrize(("nose", "expected"), [(50, 1), (45, 0.5), (40, 0), (30, 0)])
def test_a_nose_between_the_eyes_is_frontal(nose, expected):
    assert frontality(np.array([40, 60, nose, 42, 58], float)) == pytest.approx(expected)


def test_nudity_is_judged_on_the_middle_with_blue_first_and_the_means_taken_off():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[...] = (10, 20, 30)
    picture[:4] = 255  # beyond the crop: 224 of 256
    pixels = prepared(picture)
    assert pixels.shape == (1, 224, 224, 3) and pixels.dtype == np.float32
    assert np.allclose(pixels[0, 112, 112], [30 - 104, 20 - 117, 10 - 123])
    assert pixels.max() < 0
