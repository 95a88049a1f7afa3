"""Mixed scales: shares are exact within a cycle, every scale goes through all its samples, batches are pure."""

from collections import Counter
from pathlib import Path

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.training.scales import CYCLE_STEPS, Scale, ScaledLatents, open_scales, turns_of
from tests.data.small import SIZE_PX, small_cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_cache(tmp_path)  # 24 films of 5 frames
    return tmp_path


def mixed(folder: Path) -> ScaledLatents:
    films = Scale(size_px=SIZE_PX, num_frames=5, batch_size=3, share=0.8)
    return open_scales(folder, (films, Scale(size_px=SIZE_PX, num_frames=1, batch_size=6, share=0.2)))


@pytest.mark.parametrize("shares", [(1.0,), (4.0, 1.0), (1.0, 1.0, 1.0), (0.01, 1.0), (1.0,) * CYCLE_STEPS])
def test_the_turns_fill_the_cycle_and_everyone_has_one(shares: tuple[float, ...]) -> None:
    turns = turns_of([Scale(size_px=64, share=share) for share in shares])
    assert sum(turns) == CYCLE_STEPS and min(turns) >= 1


def test_shares_are_exact_within_a_cycle(folder: Path) -> None:
    shapes = Counter(
        mixed(folder).batch(step, batch_size=1, seed=0).latents.shape[:3] for step in range(2 * CYCLE_STEPS)
    )
    assert shapes == {torch.Size((3, 4, 2)): 32, torch.Size((6, 4, 1)): 8}


def test_every_scale_visits_every_sample_once_an_epoch(folder: Path) -> None:
    source, seen = mixed(folder), Counter()
    num_films = 0
    for step in range(CYCLE_STEPS):
        batch = source.batch(step, batch_size=1, seed=0)
        if batch.latents.shape[2] > 1 and num_films < 8:  # 8 batches of 3: one epoch
            num_films += 1
            seen.update(tuple(row) for row in batch.pooled.tolist())
    assert len(seen) == 24 and set(seen.values()) == {1}


def test_a_batch_depends_on_seed_and_step_alone(folder: Path) -> None:
    source = mixed(folder)
    later = source.batch(33, batch_size=1, seed=5)
    source.batch(2, batch_size=1, seed=5)
    again = mixed(folder).batch(33, batch_size=1, seed=5)
    assert torch.equal(later.latents, again.latents) and torch.equal(later.text, again.text)


def test_what_the_cache_does_not_hold_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="the cache holds 5"):
        open_scales(folder, (Scale(size_px=SIZE_PX, num_frames=9),))
    with pytest.raises(InvalidInput, match=r"4n\+1"):
        Scale(size_px=64, num_frames=8)
    with pytest.raises(InvalidInput, match="share=0"):
        Scale(size_px=64, share=0.0)
