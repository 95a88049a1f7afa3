"""What our captioner sees with learns from looks of clips, and what it writes with from scenes that are told."""

from dataclasses import asdict, replace

import pytest
import torch

from muybridge.captioning.own.scene_answers import physics_answers, staged_answers
from muybridge.captioning.own.sight import Looks, Sight, SightConfig
from muybridge.captioning.own.slots import SLOTS, phrases_of, seen
from muybridge.captioning.own.wordings import usual
from muybridge.captioning.own.writer import Writer
from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import seeded
from muybridge.training.curating.familiar import set_familiar
from muybridge.training.curating.mirrored_answers import UNSURE, mirrored
from muybridge.training.curating.sight import Labelled, SightStage, SightTask
from muybridge.training.curating.told_scenes import ToldScene
from muybridge.training.curating.writer import WriterStage, WriterTask
from muybridge.worlds.staging import Relation
from tests.captioning.examples import CAST, HORSE, rolling, staged
from tests.captioning.test_own import TINY, language

SCENES = [seen({"who": "horse", "camera": "static"}), seen({"who": "cow", "camera": "zoom in"})]
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


def looks_of(level: torch.Tensor) -> Looks:
    """Of clips all of whose features are at a level."""
    shapes = {"stills": (3, 112, 2, 2), "edges": (3, 40, 4, 4), "film": (8, 40, 4, 4)}
    return Looks(**{name: level.expand(len(level), *shape).clone() for name, shape in shapes.items()})


def test_sight_learns_and_repeats():
    answers = SCENES * 4
    level = torch.tensor([0.0, 1.0] * 4)[:, None, None, None, None]
    clips = Labelled(looks_of(level), answers, CONFIG)
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


def test_of_two_that_rest_the_left_or_the_nearer_one_comes_first():
    inverses: tuple[tuple[Relation, Relation], ...] = (("left of", "right of"), ("in front of", "behind"))
    for relation, inverse in inverses:
        one = staged_answers(staged("cow", "horse", relation=relation), CAST, is_ordered=True)
        other = staged_answers(staged("horse", "cow", relation=inverse), CAST, is_ordered=True)
        assert one == other
        assert one != staged_answers(staged("cow", "horse", relation=relation), CAST)


def test_answers_of_a_physics_scene_name_both_things():
    ball = rolling().subject
    scene = rolling("collide", replace(ball, colour="blue"))
    found = dict(zip(SLOTS, physics_answers(scene).answers, strict=True))
    assert (found["colour"], found["colour2"], found["way"]) == ("red", "blue", "from right to left")
    assert found["side"] == "from the right"


def test_the_usual_wording_is_the_one_that_shares_most_words():
    said = [replace(HORSE, short=text) for text in ("a horse", "a brown horse runs", "a brown horse", "rain")]
    assert usual([asdict(each) for each in said], count=2)["short"] == ("a brown horse", "a brown horse runs")


def test_a_mirror_exchanges_the_sides_and_who_is_told_first():
    scene = staged("cow", "horse", relation="right of")
    shown = staged("horse", "cow", relation="right of")
    for told, other in ((scene, shown), (shown, scene)):
        found, right = (
            dict(zip(SLOTS, each.answers, strict=True))
            for each in (mirrored(staged_answers(told, CAST)), staged_answers(other, CAST))
        )
        assert found == right | {"motion": UNSURE}
    one, other = rolling(), replace(rolling(), direction=1, sun_deg=-60.0)
    assert mirrored(physics_answers(one)) == physics_answers(other)


def test_clips_like_those_of_training_are_familiar_and_others_strange():
    draw = torch.Generator().manual_seed(0)
    network = Sight(CONFIG)
    level = torch.randn(400, 1, 112, 1, 1, generator=draw)
    looks = replace(looks_of(torch.zeros(400, 1, 1, 1, 1)), stills=level.expand(-1, 3, -1, 2, 2))
    set_familiar(network, looks, torch.zeros(400, dtype=torch.long))
    inside = network.strangeness(looks)
    assert (inside <= 1).float().mean() > 0.99
    assert (network.strangeness(replace(looks, stills=looks.stills * 3)) > 1).all()


def test_settings_outside_their_range_are_refused():
    with pytest.raises(InvalidInput):
        SightStage(num_physics=0)
    with pytest.raises(InvalidInput):
        WriterStage(doubt=1.0)
