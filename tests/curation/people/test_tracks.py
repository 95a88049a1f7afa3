import numpy as np
import pytest

from muybridge.curation.people.discs import BrightDiscs
from muybridge.curation.people.faces import Face, thinned
from muybridge.curation.people.tracks import face_tracks, linked, look_frames, where_present
from muybridge.media.geometry import overlap
from tests.curation.people.discs import FPS, film


def tracks_of(frames):
    return face_tracks(BrightDiscs(), frames, FPS)


def test_looks_take_the_first_and_the_last_frame_and_never_skip_more_than_a_quarter_of_a_second():
    for num_frames in (1, 2, 3, 30, 121):
        looks = look_frames(num_frames, 24.0)
        assert looks[0] == 0 and looks[-1] == num_frames - 1
        assert max(np.diff(looks), default=0) <= 6
    assert look_frames(1, 0.0) == [0]  # a picture


def test_a_face_that_moves_is_one_track_in_all_frames():
    frames = film({number: [(12 + 3 * number, 20, 6)] for number in range(13)})
    (track,) = tracks_of(frames)
    assert track.frames == range(13)
    middles = (track.boxes[:, 0] + track.boxes[:, 2]) / 2
    assert np.allclose(middles, 12 + 3 * np.arange(13), atol=1)


def test_a_small_face_that_moves_by_more_than_its_width_from_look_to_look_is_one_track():
    face = Face(box=(40, 40, 45, 47), score=0.9)
    moved = Face(box=(46, 41, 54, 51), score=0.9)
    assert len(linked({0: [face], 6: [moved]}, max_gap_frames=24)) == 1


def test_a_gap_in_what_is_seen_is_filled():
    seen = [0, 1, 2, 3, 4, 9, 10, 11, 12]
    (track,) = tracks_of(film({number: [(20 + number, 20, 6)] for number in seen}))
    assert track.frames == range(13)
    assert np.allclose((track.boxes[6, 0] + track.boxes[6, 2]) / 2, 26, atol=1)


def test_a_track_reaches_half_a_second_beyond_what_was_seen():
    (track,) = tracks_of(film({number: [(20, 20, 6)] for number in range(12, 18)}, num_frames=40))
    assert track.frames.start <= 6 and track.frames.stop >= 20
    assert track.frames.stop < 40


def test_faces_that_are_apart_are_tracks_of_their_own():
    frames = film({number: [(14, 14, 6), (48, 30, 7)] for number in range(13)})
    tracks = tracks_of(frames)
    assert len(tracks) == 2
    assert where_present(tracks, 13).all()


def test_a_clip_without_faces_has_no_tracks():
    assert tracks_of(film({})) == ()


@pytest.mark.parametrize(("scores", "is_blurred", "is_counted"), [
    ([0.5], True, True), ([0.4], True, False), ([0.35], False, False),
    ([0.3, 0.3], True, True), ([0.25, 0.3], True, False), ([0.25, 0.2], False, False),
    ([0.2, 0.2, 0.2], True, False), ([0.2, 0.2, 0.15], False, False),
])  # fmt: skip
def test_doubtful_looks_make_a_face_to_blur_sooner_than_one_to_count(scores, is_blurred, is_counted):
    left = iter(scores)

    class Doubtful(BrightDiscs):
        def detect(self, picture):
            return (Face(box=(10, 10, 20, 20), score=next(left)),) if picture.max() == 255 else ()

    frames = film({3 * number: [(15, 15, 3)] for number in range(len(scores))})
    tracks = face_tracks(Doubtful(), frames, FPS)
    assert len(tracks) == is_blurred
    assert any(track.is_sure for track in tracks) == is_counted


def test_after_too_long_a_gap_it_is_another_track():
    face = Face(box=(10, 10, 20, 20), score=0.9)
    looks = {0: [face], 12: [face], 25: [face]}
    assert [len(chain) for chain in linked(looks, max_gap_frames=12)] == [2, 1]


def test_of_overlapping_faces_the_surest_stays():
    faces = [
        Face(box=(0, 0, 10, 10), score=0.6),
        Face(box=(1, 1, 11, 11), score=0.9),
        Face(box=(30, 0, 40, 9), score=0.2),
    ]
    assert [face.score for face in thinned(faces)] == [0.9, 0.2]


@pytest.mark.parametrize(("other", "expected"), [((0, 0, 2, 2), 1), ((1, 0, 3, 2), 1 / 3), ((5, 5, 6, 6), 0)])
def test_overlap_is_intersection_over_union(other, expected):
    assert overlap((0, 0, 2, 2), other) == pytest.approx(expected)
