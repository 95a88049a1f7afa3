"""The latent cache: resumable, whole, and with batches that lose and repeat nothing."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from muybridge.core.errors import InvalidInput, RunFailed
from muybridge.data.cache import SORTED_BATCHES, CacheConfig, LatentCache, build_cache
from muybridge.text.encoder import HashEncoder
from tests.data.small import SIZE_PX, small_cache, small_vae, small_world


def test_an_epoch_visits_every_sample_once(tmp_path: Path) -> None:
    cache = small_cache(tmp_path)
    keys = {tuple(row): index for index, row in enumerate(cache.pooled.tolist())}
    assert len(keys) == len(cache)
    batch_size = len(cache) // SORTED_BATCHES
    seen: Counter[int] = Counter()
    for step in range(SORTED_BATCHES):
        seen.update(keys[tuple(row)] for row in cache.batch(step, batch_size=batch_size, seed=0).pooled.half().tolist())
    assert sorted(seen) == list(range(len(cache))) and set(seen.values()) == {1}


def test_a_batch_depends_on_seed_and_step_alone(tmp_path: Path) -> None:
    cache = small_cache(tmp_path)
    first = cache.batch(5, batch_size=3, seed=0)
    again = LatentCache(tmp_path, size_px=SIZE_PX).batch(5, batch_size=3, seed=0)
    assert torch.equal(first.latents, again.latents) and torch.equal(first.text, again.text)
    assert not torch.equal(first.latents, cache.batch(5, batch_size=3, seed=1).latents)


def test_texts_are_right_padded_with_zeros(tmp_path: Path) -> None:
    batch = small_cache(tmp_path).gather(torch.arange(24))
    assert batch.text[~batch.text_mask].abs().sum() == 0
    assert batch.text[batch.text_mask].abs().sum(dim=1).min() > 0
    assert bool((batch.text_mask.int().diff(dim=1) <= 0).all())


def test_an_interrupted_build_goes_on_and_gives_the_same_cache(tmp_path: Path) -> None:
    small_cache(tmp_path / "whole")
    small_cache(tmp_path / "cut")
    last = tmp_path / "cut" / "shard-0001.npz"
    expected = np.load(last)["states"]
    last.unlink()
    with pytest.raises(InvalidInput, match="was interrupted"):
        LatentCache(tmp_path / "cut", size_px=SIZE_PX)
    small_cache(tmp_path / "cut")
    assert np.array_equal(np.load(last)["states"], expected)
    first, second = (LatentCache(tmp_path / name, size_px=SIZE_PX) for name in ("whole", "cut"))
    assert torch.equal(first.latents, second.latents)


def test_other_settings_do_not_mix_in(tmp_path: Path) -> None:
    small_cache(tmp_path)
    config = CacheConfig(num_scenes=24, sizes_px=(SIZE_PX,), num_frames=1)
    with pytest.raises(RunFailed, match="other settings"):
        build_cache(tmp_path, config, world=small_world(), vae=small_vae(), text=HashEncoder())
    assert json.loads((tmp_path / "cache.json").read_text())["num_frames"] == 5


def test_a_folder_without_latents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds no latents"):
        LatentCache(tmp_path, size_px=64)
    small_cache(tmp_path)
    with pytest.raises(InvalidInput, match="size_px=64"):
        LatentCache(tmp_path, size_px=64)
