"""Which pictures and films go together."""

import pytest

from muybridge.core.errors import InvalidInput
from muybridge.pipelines.conditions.film import FilmConditions, Keyframe, keyframes_of, latent_frame
from muybridge.pipelines.conditions.media_ref import MediaRef

A, B = MediaRef(path="a.png"), MediaRef(path="b.mp4")


@pytest.mark.parametrize(("given", "says"), [
    ({"image": A, "extend": B}, "image with extend"),
    ({"last_image": A, "extend": B, "direction": "backwards"}, "last_image with extend"),
    ({"extend": B, "video": B}, "extend with video"),
    ({"extend": B, "loop": True}, "extend with loop"),
    ({"loop": True, "last_image": A}, "loop with last_image"),
    ({"mask": A}, "mask without image or video"),
    ({"mask": A, "image": A, "last_image": A}, "mask with last_image"),
    ({"mask": A, "image": A, "video": B}, "image and video with mask"),
    ({"strength": 0.5}, "strength without video"),
    ({"strength": 0.5, "image": A}, "strength without video"),
    ({"strength": 0.0, "video": B}, "strength=0"),
    ({"strength": 1.1, "video": B}, "strength=1.1"),
    ({"direction": "backwards"}, "direction without extend"),
    ({"direction": "up", "extend": B}, "direction=up"),
    ({"overlap": 9}, "overlap without extend"),
    ({"overlap": 4, "extend": B}, "overlap=4"),
    ({"overlap": 0, "extend": B}, "overlap=0"),
])  # fmt: skip
def test_contradictions_are_refused_in_one_line(given, says):
    with pytest.raises(InvalidInput, match=says) as error:
        FilmConditions(**given)
    assert "\n" not in str(error.value) and ";" in str(error.value)


@pytest.mark.parametrize("given", [
    {}, {"image": A, "last_image": A}, {"video": B, "image": A, "strength": 0.5}, {"mask": A, "image": A},
    {"extend": B, "last_image": A}, {"extend": B, "image": A, "direction": "backwards"}, {"loop": True, "image": A},
    {"mask": A, "video": B, "strength": 0.5},
])  # fmt: skip
def test_what_goes_together_is_taken(given):
    FilmConditions(**given).check(num_frames=33, fps=12)


@pytest.mark.parametrize(("given", "says"), [
    ({"keyframes": {33: A}}, "keyframe at 33: the film's last frame is 32, at 2.67s"),
    ({"keyframes": {2.8: A}}, "keyframe at 2.8s"),
    ({"keyframes": {0: A}, "image": A}, "keyframe at 0: image at frame 0"),
    ({"keyframes": {30: A}, "last_image": A}, "keyframe at 30: last_image at frame 32"),
    ({"keyframes": {5: A, 8: A}}, "keyframe at 8: another keyframe at frame 5"),
    ({"extend": B, "overlap": 33}, "frames=33 with extend"),
])  # fmt: skip
def test_times_outside_of_the_film_or_taken_are_refused(given, says):
    given = {name: keyframes_of(value) if name == "keyframes" else value for name, value in given.items()}
    with pytest.raises(InvalidInput, match=says):
        FilmConditions(**given).check(num_frames=33, fps=12)


@pytest.mark.parametrize("given", [{"image": A}, {"keyframes": (Keyframe.of(0, A),)}, {"loop": True}])
def test_a_picture_has_no_frame_left_to_make(given):
    with pytest.raises(InvalidInput):
        FilmConditions(**given).check(num_frames=1, fps=12)
    FilmConditions(image=A, mask=A).check(num_frames=1, fps=12)


@pytest.mark.parametrize(
    ("time", "frame"), [(16, 16), (1.5, 18), ("16", 16), ("1.5s", 18), ("2s", 24), ("1.5", 18), (0.0, 0)]
)
def test_a_time_is_a_frame_or_seconds(time, frame):
    assert Keyframe.of(time, A).frame(12) == frame


@pytest.mark.parametrize("time", [-1, -0.5, True, "soon", "1.5.2", "1e3s", float("nan"), None])
def test_other_times_are_refused(time):
    with pytest.raises(InvalidInput, match="keyframe at"):
        Keyframe.of(time, A)


def test_the_first_frame_is_alone_in_its_latent_frame_and_later_ones_are_four():
    assert [latent_frame(f) for f in (0, 1, 4, 5, 8, 32)] == [0, 1, 1, 2, 2, 8]


def test_films_of_other_pictures_share_a_batch_and_other_frames_do_not():
    one, same = FilmConditions(image=A), FilmConditions(image=B)
    assert one.pattern() == same.pattern() != FilmConditions(last_image=A).pattern()
    assert FilmConditions(image=A, mask=A).pattern() != FilmConditions(image=A, mask=B).pattern()
    keyed = [FilmConditions(keyframes=keyframes_of({time: A})).pattern() for time in (4, 8)]
    assert keyed[0] != keyed[1]
