import logging
import pickle
from dataclasses import replace

import numpy as np
import pytest

from muybridge.curation.people.discs import BrightDiscs
from muybridge.curation.people.finder import FaceFinder
from muybridge.curation.people.privacy import Privacy
from muybridge.curation.people.stage import People
from tests.curation.people.discs import clip, film

FACE = {number: [(20 + number, 22, 8)] for number in range(13)}


class Counted(BrightDiscs):
    """Counts the pictures that it sees."""

    looks = 0

    def detect(self, picture):
        self.looks += 1
        return super().detect(picture)


def privacy():
    return Privacy(finder=FaceFinder(BrightDiscs()))


def test_faces_are_blurred_in_every_frame():
    before = clip(film(FACE))
    done = privacy().process(before)
    assert (done.values["faces_blurred"], done.values["faces_safe"], done.values["pii_found"]) == (1, True, None)
    for number, (picture, given) in enumerate(zip(done.frames, before.frames, strict=True)):
        assert picture[22, 20 + number].max() < 255 or not np.array_equal(picture, given)
        assert not np.array_equal(picture, given)
        assert (picture == given).mean() > 0.5


def test_with_consent_the_frames_stay_bit_by_bit():
    before = clip(film(FACE), has_consent=True)
    done = privacy().process(before)
    assert done.values["faces_blurred"] == 0
    assert done.frames is before.frames


def test_without_a_face_the_frames_stay():
    before = clip(film({}))
    assert privacy().process(before).frames is before.frames


def test_without_a_detector_faces_stay_and_it_is_said(caplog):
    stage = Privacy()
    with caplog.at_level(logging.INFO, logger="muybridge"):
        stage.prepare()
    assert "faces=kept" in caplog.text
    before = clip(film(FACE), values={"text": ("write to [email]", "plain", "[phone] or [email]")})
    done = stage.process(before)
    assert done.frames is before.frames
    assert (done.values["faces_blurred"], done.values["faces_safe"], done.values["pii_found"]) == (None, False, 3)
    assert Privacy().process(clip(film(FACE), has_consent=True)).values["faces_safe"]


def test_people_and_privacy_look_once():
    detector = Counted()
    finder = FaceFinder(detector)
    people, blurring = People(finder=finder), Privacy(finder=finder)
    measured = people.process(clip(film(FACE)))
    looks = detector.looks
    blurring.process(measured)
    assert detector.looks == looks > 0
    blurring.process(clip(film(FACE)))
    assert detector.looks == 2 * looks


def test_a_doubtful_face_is_blurred_and_not_counted():
    class Doubtful(BrightDiscs):
        def detect(self, picture):
            return tuple(replace(face, score=0.2) for face in super().detect(picture))

    finder = FaceFinder(Doubtful())
    measured = People(finder=finder).process(clip(film(FACE)))
    assert measured.values["num_faces"] == 0
    assert Privacy(finder=finder).process(measured).values["faces_blurred"] == 1


def test_stages_that_were_pickled_together_share_their_finder_still():
    finder = FaceFinder(BrightDiscs())
    people, blurring = pickle.loads(pickle.dumps((People(finder=finder), Privacy(finder=finder))))
    assert people._finder is blurring._finder
    assert blurring.process(clip(film(FACE))).values["faces_blurred"] == 1


@pytest.mark.parametrize("stage", [People, Privacy])
def test_which_detector_ran_is_a_setting(stage):
    assert stage(finder=FaceFinder(BrightDiscs())).faces_by == "discs 1"
    assert stage().faces_by is None
