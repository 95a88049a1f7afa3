"""Modulation: the formula, for one signal and for one per run of tokens."""

import pytest
import torch
from torch import Tensor

from muybridge.ops.modulation import add_gated, norm_and_modulate
from muybridge.ops.norm import layer_norm

BF16_ERROR = 0.02  # of the gradient's deviation: some roundings of 2^-9


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


@pytest.mark.parametrize("b, g", [(1, 1), (2, 1), (2, 3)])
def test_gradients_reach_tokens_and_signals(b, g):
    x, change, shift, scale = (tensor.double().requires_grad_() for tensor in given(b, g))
    assert torch.autograd.gradcheck(norm_and_modulate, (x, shift, scale))
    assert torch.autograd.gradcheck(add_gated, (x, scale, change))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recording_changes_no_bit(dtype):
    x, change, shift, scale = given(2, 3)
    change, shift, scale = change.to(dtype), shift.to(dtype), scale.to(dtype)
    plain = norm_and_modulate(x, shift, scale), add_gated(x, scale, change)
    x.requires_grad_()
    assert torch.equal(norm_and_modulate(x, shift, scale), plain[0])
    assert torch.equal(add_gated(x, scale, change), plain[1])


def test_under_autocast_what_is_recorded_is_rounded_as_a_linear_layer_would():
    x, _, shift, scale = given(2, 1)
    plain = norm_and_modulate(x, shift, scale)
    with torch.autocast("cpu", torch.bfloat16):
        recorded = norm_and_modulate(x.requires_grad_(), shift, scale)
    assert torch.equal(recorded, plain.bfloat16())


def test_gradients_of_bfloat16_are_near_those_of_float64():
    own = [tensor.bfloat16() for tensor in given(2, 3)]
    exact = [tensor.double().requires_grad_() for tensor in own]
    own = [tensor.requires_grad_() for tensor in own]
    for x, change, shift, scale in (own, exact):
        (norm_and_modulate(x, shift, scale).square().mean() + add_gated(x, scale, change).square().mean()).backward()
    for ours, theirs in zip(own, exact, strict=True):
        error = (ours.grad.double() - theirs.grad).square().mean().sqrt()
        assert error < BF16_ERROR * theirs.grad.std()
