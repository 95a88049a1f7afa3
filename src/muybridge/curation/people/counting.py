"""How many people there are, from bodies and faces: a face belongs to a body, or to somebody whose body is not seen."""

from collections.abc import Sequence

from muybridge.curation.people.faces import Body, FloatBox, grown, size_of

HEAD_SHARE = 0.55  # of a body's height, from its top, in which its face lies: more of one who is cut off by the edge
SLACK = 1.15  # how much wider and higher a body's box may be


def num_people(bodies: Sequence[Body], faces: Sequence[FloatBox]) -> int:
    """Bodies, and faces that none of them can have: each body has one face at most, the one nearest its middle."""
    pairs = [
        (abs(_middle(face) - _middle(body.box)) / max(size_of(body.box)[0], 1e-6), number, place)
        for number, body in enumerate(bodies) for place, face in enumerate(faces) if _may_have(body.box, face)
    ]  # fmt: skip
    taken: set[int] = set()
    owned: set[int] = set()
    for _, number, place in sorted(pairs):
        if number not in taken and place not in owned:
            taken.add(number)
            owned.add(place)
    return len(bodies) + len(faces) - len(owned)


def at_a_time(counts: Sequence[int]) -> int:
    """The most that two looks agree on; a single look is believed."""
    return sorted(counts, reverse=True)[min(1, len(counts) - 1)]


def _may_have(body: FloatBox, face: FloatBox) -> bool:
    left, top, right, bottom = grown(body, SLACK)
    x, y = _middle(face), (face[1] + face[3]) / 2
    return left <= x <= right and top <= y <= top + HEAD_SHARE * SLACK * (bottom - top)


def _middle(box: FloatBox) -> float:
    return (box[0] + box[2]) / 2
