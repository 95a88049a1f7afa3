"""Modulation: the formula, for one signal and for one per run of tokens."""

import pytest
import torch
from torch import Tensor

from muybridge.ops.modulation import add_gated, norm_and_modulate
from muybridge.ops.norm import layer_norm


def given(b: int, g: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Tokens, a change of them, and two signals."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(2, b, 12, 8, generator=generator)
    signals = torch.randn(2, b, g, 8, generator=generator)
    return tokens[0], tokens[1], signals[0], signals[1]


@pytest.mark.parametrize("b, g", [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_modulation_scales_and_shifts_each_run_of_tokens(b, g):
    x, change, shift, scale = given(b, g)
    over_tokens = [signal.repeat_interleave(12 // g, 1) for signal in (shift, scale)]
    expected = layer_norm(x) * (1 + over_tokens[1]) + over_tokens[0]
    torch.testing.assert_close(norm_and_modulate(x, shift, scale), expected)
    torch.testing.assert_close(add_gated(x, scale, change), x + over_tokens[1] * change)


def test_equal_runs_are_one_run():
    x, change, shift, scale = given(1, 1)
    runs = [signal.expand(1, 4, 8) for signal in (shift, scale)]
    torch.testing.assert_close(norm_and_modulate(x, *runs), norm_and_modulate(x, shift, scale))
    torch.testing.assert_close(add_gated(x, runs[1], change), add_gated(x, scale, change))


def test_gradients_reach_tokens_and_signals():
    x, change, shift, scale = (tensor.double().requires_grad_() for tensor in given(1, 1))
    assert torch.autograd.gradcheck(norm_and_modulate, (x, shift, scale))
    assert torch.autograd.gradcheck(add_gated, (x, scale, change))
