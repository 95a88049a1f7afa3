"""What a preview's matrix took long to fit is kept, and found by whoever has the same VAE."""

from pathlib import Path

import numpy as np
import pytest
import torch

import muybridge.pipelines.preview as preview
from muybridge.pipelines.preview import Glances
from tests.data.small import small_vae


def test_a_matrix_that_took_long_is_kept_and_gives_the_same_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUYBRIDGE_CACHE", str(tmp_path))
    monkeypatch.setattr(preview, "KEPT_FROM_S", 0.0)
    latents = torch.randn(4, 2, 2, 3)
    first = Glances(small_vae(), identity="weights").of(latents)
    (kept,) = tmp_path.rglob("weights.safetensors")
    before = kept.stat().st_mtime_ns
    again = Glances(small_vae(), identity="weights").of(latents)
    assert np.array_equal(first, again) and kept.stat().st_mtime_ns == before
    Glances(small_vae(), identity=None).of(latents)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]
