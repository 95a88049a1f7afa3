"""The network of sounds is trained on mixtures that depend on the seed alone, and labels say what is in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.curation.sound.features import NUM_FEATURES
from muybridge.curation.sound.network import SoundNet
from muybridge.training.curating.sound import SoundStage, SoundTask
from muybridge.training.curating.sound_mixing import presence
from muybridge.training.curating.sound_shapes import RATE_HZ
from muybridge.training.curating.sound_voices import formant_speech

SMALL = SoundStage(num_sounds=3, num_held_out=1, num_sentences=2)


def task_in(folder: Path) -> SoundTask:
    """With sentences that no fetched voice had to say."""
    folder.mkdir()
    said = [formant_speech(np.random.default_rng(k), RATE_HZ).astype(np.float16) for k in range(2)]
    with (folder / "sentences-2.npz").open("wb") as file:
        np.savez(file, *said)
    return SoundTask(SMALL, folder)


def test_sounds_are_made_again_as_they_were(tmp_path: Path):
    first, second = (task_in(tmp_path / name).examples for name in ("one", "two"))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
    assert first[0].shape[1] == NUM_FEATURES and bool(first[0].isfinite().all())


def test_a_step_is_a_function_of_its_number_dropout_and_all(tmp_path: Path):
    task, network = task_in(tmp_path / "one"), SoundNet(SMALL.network).train()
    losses = [float(task.loss(network, step, batch_size=4)[0].detach()) for step in (0, 1, 0)]
    assert losses[0] == losses[2] != losses[1]


def test_a_class_is_there_where_it_sounds():
    rng = np.random.default_rng(0)
    parts = 0.001 * rng.standard_normal((3, 3 * RATE_HZ))
    parts[0, : int(1.3 * RATE_HZ)] += rng.standard_normal(int(1.3 * RATE_HZ))
    parts[1, int(1.6 * RATE_HZ) :] += rng.standard_normal(len(parts[1]) - int(1.6 * RATE_HZ))
    wanted, is_plain = presence(parts.sum(0), parts)
    assert wanted[0].tolist() == [1, 0, 0] and wanted[-1].tolist() == [0, 1, 0]
    assert bool(is_plain.all())


def test_a_stage_without_sounds_is_refused():
    with pytest.raises(InvalidInput, match="num_sounds=0"):
        replace(SMALL, num_sounds=0)
