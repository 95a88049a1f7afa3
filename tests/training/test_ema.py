"""Averages weigh the past as they say."""

import pytest
import torch
from torch import nn

from muybridge.training.ema import Ema, constant_decay, power_decay, power_of


def profile(decay, num_steps: int) -> torch.Tensor:
    """How much the weights after each step count in the average after the last."""
    shares = torch.zeros(num_steps, dtype=torch.float64)
    for step in range(num_steps):
        shares *= decay(step)
        shares[step] = 1 - decay(step)
    return shares


@pytest.mark.parametrize("width", [0.05, 0.1, 0.15])
def test_a_power_average_is_as_wide_as_asked_whatever_the_length(width: float) -> None:
    for num_steps in (2000, 8000):
        shares = profile(power_decay(width), num_steps)
        time = (torch.arange(num_steps, dtype=torch.float64) + 1) / num_steps
        mean = (shares * time).sum()
        assert shares.sum() == pytest.approx(1.0)
        assert ((shares * (time - mean) ** 2).sum().sqrt()) == pytest.approx(width, rel=0.01)


def test_a_power_average_weighs_steps_by_their_power() -> None:
    gamma, shares = power_of(0.1), profile(power_decay(0.1), 4000)
    assert shares[-1] / shares[1999] == pytest.approx(2**gamma, rel=0.01)


def test_known_widths_have_the_exponents_of_the_paper() -> None:
    assert power_of(0.05) == pytest.approx(16.97, abs=0.01) and power_of(0.1) == pytest.approx(6.94, abs=0.01)


def test_a_constant_decay_is_ramped_up() -> None:
    decay = constant_decay(0.99)
    assert decay(0) == 0.1 and decay(10**6) == 0.99


def test_the_average_is_a_copy_that_follows_weights_and_buffers() -> None:
    model = nn.BatchNorm1d(3)
    ema = Ema(model, lambda step: 0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
        model.running_mean.fill_(7.0)
    ema.update(model, 0)
    assert ema.model.weight.tolist() == [2.0] * 3 and ema.model.running_mean.tolist() == [7.0] * 3
    assert not ema.model.weight.requires_grad and not ema.model.training and model.training
