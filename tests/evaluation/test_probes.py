"""The probe: any film size in, names out, kept in a file, trained by the same trainer as what it judges."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.evaluation import probes
from muybridge.evaluation.probes import (
    ATTRIBUTES,
    ClipProbe,
    ProbeConfig,
    judge,
    load_probe,
    prepared,
    targets,
)
from muybridge.recipes.judging import gallop_probe
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.probe_stage import ProbeStage, train_probe
from muybridge.training.tasks.probing import ProbeTask, facts_of
from muybridge.weights.small import accuracy_of
from muybridge.worlds.backgrounds import BACKGROUNDS
from muybridge.worlds.camera import CAMERAS
from muybridge.worlds.drawn import DRAWN_SUBJECTS
from muybridge.worlds.motion import MOTIONS
from tests.data.small import small_world

SHIPPED = Path(probes.__file__).parent / "embedded" / "gallop-probe.safetensors"
CONFIG = ProbeConfig(
    subject=tuple(subject.name for subject in DRAWN_SUBJECTS), background=tuple(BACKGROUNDS), motion=MOTIONS,
    camera=CAMERAS, size_px=32, num_frames=3, channels=(8, 8, 16, 16), place_channels=4,
)  # fmt: skip


def probe() -> ClipProbe:
    torch.manual_seed(0)
    return ClipProbe(CONFIG).eval()


def film(frames: int = 5, height: int = 24, width: int = 40) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_a_probe_that_sees_changes_tells_a_still_film_from_one_that_moves() -> None:
    torch.manual_seed(0)
    network = ClipProbe(replace(CONFIG, sees_changes=True)).eval()
    still = prepared(np.repeat(film(frames=1), 3, axis=0), network.config)
    seen = []
    network.trunk[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(torch.stack([still, prepared(film(frames=3), network.config)]))
    assert seen[0].shape[1] == 6 and not seen[0][0, 3:].any() and bool(seen[0][1, 3:, 1:].any())


def test_films_of_any_size_and_length_are_judged_alike_alone_and_together() -> None:
    films = [film(), film(frames=9, height=16, width=16), film(frames=3, height=64)]
    seen = judge(probe(), films)
    assert seen == [judge(probe(), [one])[0] for one in films]
    assert all(fact[name] in CONFIG.names(name) for fact in seen for name in ATTRIBUTES)


def test_the_first_and_last_frame_are_seen() -> None:
    dark = np.zeros((9, 16, 16, 3), np.uint8)
    dark[0], dark[-1] = 255, 255
    assert prepared(dark, CONFIG).mean((0, 2, 3)).tolist() == [1.0, -1.0, 1.0]
    with pytest.raises(InvalidInput, match="a film of 2 frames"):
        prepared(dark[:2], CONFIG)


def test_the_shipped_probe_knows_the_worlds_it_judges() -> None:
    stage = gallop_probe()
    assert load_probe(SHIPPED).config == stage.probe and set(accuracy_of(SHIPPED)) >= set(ATTRIBUTES)


def test_facts_that_the_probe_does_not_know_are_refused() -> None:
    facts = [facts_of(small_world().scene(0))]
    assert targets(facts, CONFIG)["subject"].shape == (1,)
    with pytest.raises(InvalidInput, match="train a probe on this world"):
        targets([facts[0] | {"subject": "unicorn"}], CONFIG)


def task(num_micro_batches: int = 1) -> ProbeTask:
    return ProbeTask(
        world=small_world(), probe=CONFIG, num_frames=5, num_scenes=60, num_held_out=4, seed=0,
        num_micro_batches=num_micro_batches,
    )  # fmt: skip


def test_a_loss_depends_on_seed_step_and_micro_alone() -> None:
    first = task().loss(probe(), 3, batch_size=4)[0]
    assert torch.equal(first, task().loss(probe(), 3, batch_size=4)[0])
    halves = [task(2).loss(probe(), 3, batch_size=2, micro=micro)[0].detach() for micro in (0, 1)]
    assert not torch.equal(*halves)


def test_training_lowers_the_loss() -> None:
    network, given = ClipProbe(CONFIG), task()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        loss, figures = given.loss(network, 0, batch_size=4)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.7 * losses[0] and set(figures) == set(ATTRIBUTES)


def test_a_trained_probes_file_says_how_good_it_is(tmp_path: Path) -> None:
    run = RunConfig(num_steps=1, batch_size=2, is_bf16=False, optimizer=OptimizerConfig(warmup_steps=1))
    stage = ProbeStage(probe=CONFIG, num_frames=5, num_scenes=60, num_held_out=2, run=run)
    path = train_probe(stage, tmp_path, world=small_world())
    assert set(accuracy_of(path)) == {*ATTRIBUTES, *(f"{name}_recall" for name in ATTRIBUTES)}
    assert load_probe(path).config == CONFIG
