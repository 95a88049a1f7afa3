"""Wear: in range, random per clip, pure, and leaving some clips alone."""

import torch

from muybridge.evaluation.degrade import degraded


def clips(num: int = 24) -> torch.Tensor:
    return torch.rand(num, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def worn(num: int = 24, seed: int = 0) -> torch.Tensor:
    return degraded(clips(num), generator=torch.Generator().manual_seed(seed))


def test_values_stay_in_range_and_some_clips_as_they_are() -> None:
    result = worn()
    assert result.shape == clips().shape and float(result.abs().max()) <= 1
    is_same = (result == clips()).flatten(1).all(1)
    assert 0 < int(is_same.sum()) < 24


def test_wear_is_a_function_of_the_generator() -> None:
    assert torch.equal(worn(), worn()) and not torch.equal(worn(), worn(seed=1))


def test_wear_removes_detail() -> None:
    is_worn = (worn() != clips()).flatten(1).any(1)
    detail = [film.diff(dim=-1).abs().mean((1, 2, 3, 4)) for film in (worn()[is_worn], clips()[is_worn])]
    assert float(detail[0].mean()) < 0.95 * float(detail[1].mean())
