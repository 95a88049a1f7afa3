"""Schedules start, hold and end where they say; clipping learns what a usual norm is."""

import pytest
import torch
from torch import nn

from muybridge.training.config import OptimizerConfig
from muybridge.training.optimizer import NUM_FIRST_NORMS, Clipping, build_optimizers, lr_scale, state_bytes
from tests.training.tiny import Net


def test_warm_up_rises_to_one_and_decay_ends_at_zero() -> None:
    config = OptimizerConfig(warmup_steps=4, decay_steps=10)
    assert [lr_scale(step, 100, config) for step in (0, 1, 3, 4, 90)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert lr_scale(95, 100, config) == 0.5 and lr_scale(100, 100, config) == 0.0


def test_cosine_passes_the_middle_at_one_half_and_is_flat_at_both_ends() -> None:
    config = OptimizerConfig(warmup_steps=0, decay_steps=100, decay="cosine")
    scales = [lr_scale(step, 100, config) for step in range(101)]
    assert scales[0] == 1.0 and scales[50] == pytest.approx(0.5) and scales[100] == 0.0
    assert scales == sorted(scales, reverse=True) and scales[1] > 0.999 and scales[99] < 0.001


def test_without_decay_the_rate_stays() -> None:
    assert lr_scale(10**6, 10, OptimizerConfig(warmup_steps=5)) == 1.0


def clipped(clipping: Clipping, norm: float) -> float:
    """The norm that is left of a gradient of this norm."""
    parameter = nn.Parameter(torch.zeros(4))
    parameter.grad = torch.full((4,), norm / 2)
    assert float(clipping([parameter])) == pytest.approx(norm)
    return float(parameter.grad.norm())


def test_fixed_clipping_lets_through_its_norm() -> None:
    clipping = Clipping(OptimizerConfig(max_grad_norm=2.0))
    assert clipped(clipping, 1.5) == pytest.approx(1.5)
    assert clipped(clipping, 30.0) == pytest.approx(2.0)
    assert clipping.state() == {}


def test_adaptive_clipping_follows_the_norms_it_has_seen() -> None:
    clipping = Clipping(OptimizerConfig(clip="adaptive"))
    norms = (0.09 + 0.02 * torch.rand(200, generator=torch.Generator().manual_seed(0))).tolist()
    for norm in norms:
        clipped(clipping, norm)
    limit = 0.1 + 3 * 0.02 / 12**0.5  # a uniform distribution's deviation
    assert clipping.limit() == pytest.approx(limit, rel=0.03)
    assert clipped(clipping, 0.105) == pytest.approx(0.105)
    assert clipped(clipping, 50.0) == pytest.approx(limit, rel=0.03)
    assert clipping.limit() < 1.1 * limit, "an outlier raises the limit by what it was clipped to only"


def test_adaptive_clipping_starts_at_the_fixed_norm() -> None:
    clipping = Clipping(OptimizerConfig(clip="adaptive", max_grad_norm=2.0))
    for _ in range(NUM_FIRST_NORMS - 1):
        clipped(clipping, 0.1)
    assert clipping.limit() == 2.0
    clipped(clipping, 0.1)
    assert clipping.limit() == pytest.approx(0.1)


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_the_state_s_size_is_known_before_it_exists(kind: str) -> None:
    net = Net()
    optimizers = build_optimizers(net, OptimizerConfig(kind=kind))  # type: ignore[arg-type]
    expected = sum(map(state_bytes, optimizers))
    net(torch.zeros(2, 8)).sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    states = [state for optimizer in optimizers for state in optimizer.state_dict()["state"].values()]
    moments = [value for state in states for name, value in state.items() if name != "step"]
    assert sum(value.nbytes for value in moments) == expected
