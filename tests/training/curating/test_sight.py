"""What our captioner sees with learns from looks of clips, and what it writes with from scenes that are told."""

from dataclasses import replace

import pytest
import torch

from muybridge.captioning.own.sight import Looks, Sight, SightConfig
from muybridge.captioning.own.slots import SLOTS, phrases_of, seen
from muybridge.captioning.own.writer import Writer
from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import seeded
from muybridge.training.curating.scene_answers import physics_answers, staged_answers
from muybridge.training.curating.sight import Labelled, SightStage, SightTask
from muybridge.training.curating.told_scenes import ToldScene, usual
from muybridge.training.curating.writer import WriterStage, WriterTask
from muybridge.worlds.physics.scene import PhysicsScene, Thing, Viewpoint
from muybridge.worlds.staging import Actor, Relation, StagedScene
from muybridge.worlds.subjects import SUBJECTS
from tests.captioning.examples import HORSE
from tests.captioning.test_own import TINY, language

SCENES = [seen({"who": "horse", "camera": "static"}), seen({"who": "cow", "camera": "zoom in"})]
CAST = {subject.name: subject for subject in SUBJECTS}
CONFIG = SightConfig(phrases=phrases_of(SCENES), width=16, still_px=32, film_px=32, dropout=0.0)


def fallen(network, task, *, batch_size: int, rate: float) -> float:
    """By how much ten steps lower the loss of a batch."""
    first = task.loss(network, 0, batch_size=batch_size)[0].item()
    for _ in range(10):
        loss, _ = task.loss(network, 0, batch_size=batch_size)
        slopes = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True)
        with torch.no_grad():
            for weight, slope in zip(network.parameters(), slopes, strict=True):
                if slope is not None:
                    weight -= rate * slope
    return first - task.loss(network, 0, batch_size=batch_size)[0].item()


def test_sight_learns_and_repeats():
    answers = SCENES * 4
    level = torch.tensor([0.0, 1.0] * 4)[:, None, None, None, None]
    looks = Looks(stills=level.expand(8, 2, 112, 2, 2).clone(), film=level.expand(8, 8, 40, 4, 4).clone())
    clips = Labelled(looks, answers, CONFIG)
    task = SightTask(clips, [clips], stage=SightStage(network=CONFIG))
    with seeded(0):
        network = Sight(CONFIG)
    assert task.loss(network, 3, batch_size=8)[0] == task.loss(network, 3, batch_size=8)[0]
    assert fallen(network, task, batch_size=8, rate=0.003) > 0
    rates = task.validate(network)
    assert set(rates) == {*SLOTS, "mean"} and rates["light"] == 1 and network.training


def test_writer_learns_and_repeats():
    told = [ToldScene(answers=scene, visible=scene, caption=HORSE) for scene in SCENES]
    task = WriterTask(told, told, language=language(), stage=WriterStage(network=TINY))
    with seeded(0):
        network = Writer(TINY)
    assert task.loss(network, 3, batch_size=2)[0] == task.loss(network, 3, batch_size=2)[0]
    assert fallen(network, task, batch_size=2, rate=0.1) > 0
    assert 0 <= task.validate(network)["right"] <= 1


def staged(*names: str, relation: Relation) -> StagedScene:
    actors = tuple(
        Actor(subject=name, motion="still", facing="left", x=0.0, z=1.0, size=0.4, phase=0.0) for name in names
    )
    return StagedScene(
        actors=actors, relations=(relation,), background="meadow", light="noon", style="3D render", camera="static",
        sway=0.0, detail_seed=0,
    )  # fmt: skip


def test_of_two_that_rest_the_left_or_the_nearer_one_comes_first():
    inverses: tuple[tuple[Relation, Relation], ...] = (("left of", "right of"), ("in front of", "behind"))
    for relation, inverse in inverses:
        one = staged_answers(staged("cow", "horse", relation=relation), CAST, is_ordered=True)
        other = staged_answers(staged("horse", "cow", relation=inverse), CAST, is_ordered=True)
        assert one == other
        assert one != staged_answers(staged("cow", "horse", relation=relation), CAST)


def test_answers_of_a_physics_scene_name_both_things():
    ball = Thing(name="subject", shape="ball", colour="red", material="shiny", scale=1.0, position=(0, 0, 1))
    scene = PhysicsScene(
        event="collide", things=(ball, replace(ball, colour="blue")), direction=-1, place="meadow", light="noon",
        sun_deg=60.0, viewpoint=Viewpoint(camera="static", azimuth_deg=0, elevation_deg=10, fov_deg=40),
        shot_type="wide shot", detail_seed=0,
    )  # fmt: skip
    found = dict(zip(SLOTS, physics_answers(scene).answers, strict=True))
    assert (found["colour"], found["colour2"], found["way"]) == ("red", "blue", "from right to left")
    assert found["side"] == "from the right"


def test_the_usual_wording_is_the_one_that_shares_most_words():
    said = [replace(HORSE, short=text) for text in ("a horse", "a brown horse runs", "a brown horse", "rain")]
    assert usual(said).short == "a brown horse"


def test_settings_outside_their_range_are_refused():
    with pytest.raises(InvalidInput):
        SightStage(num_physics=0)
    with pytest.raises(InvalidInput):
        WriterStage(doubt=1.0)
