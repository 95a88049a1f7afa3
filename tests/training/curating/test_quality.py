"""The judge of damaged pictures is trained on ladders that depend on the seed alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.curation.measures.technical import NUM_TRACES, QualityNet
from muybridge.training.curating.pictures import as_filmed, texture
from muybridge.training.curating.quality import RUNGS, QualityStage, QualityTask, calibrate, rank_correlation

SMALL = QualityStage(num_worlds=1, num_textures=1, num_ladders=3)


def task_in(folder: Path, stage: QualityStage = SMALL) -> QualityTask:
    """With clean pictures that no world had to render."""
    folder.mkdir(exist_ok=True)
    clean = np.stack([texture(np.random.default_rng(k))[:64, :64] for k in range(2)])
    np.savez(folder / "train-1-1.npz", clean=clean)
    return QualityTask(stage, folder)


def test_ladders_are_made_again_as_they_were(tmp_path: Path):
    first, second = (task_in(tmp_path / name).examples for name in ("one", "two"))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert first[0].shape == (3, RUNGS, NUM_TRACES) and bool(first[0].isfinite().all())
    assert bool(((first[1] >= 0) & (first[1] <= 1)).all()) and bool((first[1].diff(dim=1) < 0).all())


def test_what_was_filmed_is_another_picture_and_the_same_for_the_same_numbers():
    picture = texture(np.random.default_rng(3))[:64, :64]
    first, again, other = (as_filmed(picture, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert np.corrcoef(first.mean(2).ravel(), picture.mean(2).ravel())[0, 1] > 0.9


def test_calibrated_qualities_keep_their_order_and_come_nearer():
    network = QualityNet(SMALL.network).eval()
    shown = torch.randn(200, NUM_TRACES, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = network(shown)
        wanted = torch.sigmoid(1.5 * torch.logit(before) + 0.5)
        calibrate(network, shown, wanted)
        after = network(shown)
    assert torch.allclose(after, wanted, atol=0.02)
    assert torch.equal(after.argsort(), before.argsort())


def test_a_step_is_a_function_of_its_number(tmp_path: Path):
    task, network = task_in(tmp_path), QualityNet(SMALL.network).eval()
    losses = [float(task.loss(network, step, batch_size=4)[0].detach()) for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_equal_values_share_their_rank():
    assert rank_correlation([1, 2, 2, 3], [1, 5, 5, 9]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)


def test_a_stage_without_pictures_is_refused():
    with pytest.raises(InvalidInput, match="num_ladders=0"):
        replace(SMALL, num_ladders=0)
