import pytest

from muybridge.curation.people.counting import at_a_time, num_people
from muybridge.curation.people.faces import Body

STANDING = Body(box=(10, 0, 40, 100), score=0.9)
HEAD, KNEE, BESIDE = (18, 2, 32, 18), (18, 70, 32, 86), (60, 2, 74, 18)


@pytest.mark.parametrize(
    ("faces", "count"),
    [
        pytest.param([], 1, id="none"),
        pytest.param([HEAD], 1, id="its own"),
        pytest.param([HEAD, BESIDE], 2, id="another beside"),
        pytest.param([HEAD, (12, 4, 22, 14)], 2, id="one who looks over the shoulder"),
        pytest.param([KNEE], 2, id="a child before the knees"),
    ],
)
def test_a_face_that_a_body_cannot_have_is_another_person(faces, count):
    assert num_people([STANDING], faces) == count


def test_without_bodies_faces_are_people():
    assert num_people([], [HEAD, BESIDE]) == 2


def test_a_face_between_two_bodies_belongs_to_the_nearer():
    other = Body(box=(30, 0, 60, 100), score=0.8)
    assert num_people([STANDING, other], [HEAD, (38, 2, 52, 18)]) == 2


def test_what_a_single_look_of_several_sees_is_not_believed():
    assert [at_a_time(counts) for counts in ([1, 5, 1], [2, 2, 1], [3], [0, 4])] == [1, 2, 3, 0]
