"""Laws of what is read off the shares of our captioner's slots, and of how it is told."""

from dataclasses import asdict, replace

import pytest
import torch

from muybridge.captioning.own.answered_scenes import answered_scene
from muybridge.captioning.own.reading import Reading, likeliest
from muybridge.captioning.own.scene_answers import physics_answers, staged_answers, subject_phrase
from muybridge.captioning.own.slots import SLOTS, Phrases, Seen, numbers, phrases_of
from muybridge.captioning.own.wordings import told, wordings
from muybridge.captioning.scores import subjects_named
from muybridge.core.errors import InvalidInput
from muybridge.worlds.physics.scene import PhysicsScene
from muybridge.worlds.physics.shapes import SHAPES
from tests.captioning.examples import CAST, rolling, staged

DUO = staged_answers(staged("cow", "horse"), CAST)
ROLL = physics_answers(rolling())
SCENES = [
    DUO, ROLL, staged_answers(staged("horse", motion="left"), CAST), staged_answers(staged("ghost", motion="up"), CAST),
    physics_answers(rolling("collide", replace(rolling().subject, shape="cube", colour="blue", material="matte"))),
    physics_answers(rolling(shape="cylinder")), staged_answers(staged("horse", "cow"), CAST),
]  # fmt: skip
PHRASES = phrases_of(SCENES)


def shares(scene: Seen, phrases: Phrases = PHRASES, **doubts: dict[str, float]) -> list[torch.Tensor]:
    """Nearly sure answers; of the slots in `doubts` the shares of some answers."""
    found = []
    for slot, number, known in zip(SLOTS, numbers(scene, phrases), phrases, strict=True):
        given = doubts.get(slot, {known[number]: 1.0})
        found.append(torch.tensor([given.get(phrase, 0.001) for phrase in known]))
    return found


@pytest.mark.parametrize("scene", SCENES)
def test_a_scene_with_the_answers_has_these_answers_and_is_read_off_sure_shares(scene: Seen):
    made = answered_scene(scene)
    assert scene == (physics_answers(made) if isinstance(made, PhysicsScene) else staged_answers(made, CAST))
    assert likeliest(shares(scene), PHRASES) == Reading(seen=scene, doubtful={})


def test_nobody_is_seen_twice_and_nothing_where_the_worlds_never_show_it():
    cow, horse, ghost = (subject_phrase(CAST[name]) for name in ("cow", "horse", "ghost"))
    read = likeliest(shares(DUO, who={cow: 0.9, horse: 0.1}, who2={cow: 0.6, horse: 0.4}), PHRASES)
    assert read.seen == DUO
    read = likeliest(shares(SCENES[3], who={horse: 0.55, ghost: 0.45}), PHRASES)  # horses do not fly
    assert dict(zip(SLOTS, read.seen.answers, strict=True))["who"] == ghost
    with pytest.raises(InvalidInput):
        likeliest([torch.ones(1)] * len(SLOTS), tuple(("?",) for _ in SLOTS))


def test_a_subject_in_doubt_is_called_by_its_kind_and_by_no_name():
    cow, horse, ghost = (subject_phrase(CAST[name]) for name in ("cow", "horse", "ghost"))
    read = likeliest(shares(DUO, who={cow: 0.5, horse: 0.4}), PHRASES, sure=0.6)
    assert read.doubtful == {"who": "animal"}
    named = " ".join(caption.short + caption.dense for caption in told(read))
    assert subjects_named(named, [("cow",), ("horse",)]) == [("horse",)] and "animal" in named and "  " not in named
    read = likeliest(shares(SCENES[2], who={ghost: 0.4, horse: 0.5}), PHRASES, sure=0.6)
    assert read.doubtful == {"who": "thing"}
    read = likeliest(shares(ROLL, who={"ball": 0.5, "cylinder": 0.5}), PHRASES, sure=0.6)
    named = " ".join(caption.short + caption.dense for caption in told(read))
    assert read.doubtful == {"who": "object"} and not subjects_named(named, [shape.names for shape in SHAPES.values()])


def test_who_comes_first_may_be_unsure_where_both_are_there():
    cow, horse = (subject_phrase(CAST[name]) for name in ("cow", "horse"))
    read = likeliest(shares(DUO, who={cow: 0.9, horse: 0.1}, who2={cow: 0.7, horse: 0.3}), PHRASES, sure=0.6)
    assert read.doubtful == {"who2": "animal"}
    read = likeliest(shares(DUO, who={cow: 0.1, horse: 0.9}, who2={cow: 0.9, horse: 0.1}), PHRASES, sure=0.6)
    assert not read.doubtful


def test_wordings_are_different_ones_of_the_same_facts():
    options = wordings(likeliest(shares(DUO), PHRASES), count=3)
    captions = [asdict(each) for each in told(Reading(seen=DUO, doubtful={}))]
    assert len(set(options["dense"])) == 3 and options["camera"] == ("static",)
    assert all(text in [caption[name] for caption in captions] for name, texts in options.items() for text in texts)
