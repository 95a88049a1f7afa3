"""Stored tensors change as a layout or a dtype asks, and in nothing else."""

from pathlib import Path

import torch

from muybridge.weights.stored import cast, from_tensor


def test_a_cast_leaves_whole_numbers_alone():
    positions = from_tensor(torch.arange(77)[None], Path("memory"))
    assert cast(positions, torch.bfloat16) is positions
