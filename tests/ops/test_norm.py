"""Norms: unit statistics, whatever the scale."""

import torch

from muybridge.ops.norm import RMSNorm, layer_norm


def x() -> torch.Tensor:
    return 7 * torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0)) + 3


def test_rms_norm_is_the_formula():
    norm = RMSNorm(32)
    norm.weight.data = torch.linspace(0.5, 2, 32)
    expected = x().double() / (x().double().square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight.double()
    torch.testing.assert_close(norm(x()).double(), expected, rtol=1e-6, atol=1e-6)


def test_rms_norm_of_bfloat16_is_computed_in_float32():
    norm = RMSNorm(32).bfloat16()
    result = norm(x().bfloat16())
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.square().mean(-1), torch.ones(2, 5))


def test_layer_norm_has_no_mean_and_unit_variance():
    result = layer_norm(x())
    torch.testing.assert_close(result.mean(-1), torch.zeros(2, 5), rtol=0, atol=1e-6)
    torch.testing.assert_close(result.var(-1, unbiased=False), torch.ones(2, 5))
