"""Norms: unit statistics, whatever the scale."""

import pytest
import torch

from muybridge.ops.norm import RMSNorm, layer_norm
from muybridge.ops.rope import rope_table, rotate


def x() -> torch.Tensor:
    return 7 * torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(0)) + 3


def test_rms_norm_is_the_formula():
    norm = RMSNorm(32)
    norm.weight.data = torch.linspace(0.5, 2, 32)
    expected = x().double() / (x().double().square().mean(-1, keepdim=True) + 1e-6).sqrt() * norm.weight.double()
    torch.testing.assert_close(norm(x()).double(), expected, rtol=1e-6, atol=1e-6)


def test_rms_norm_of_bfloat16_is_computed_in_float32_and_rounded_once():
    norm, rope = RMSNorm(32).bfloat16(), rope_table((1, 1, 5), (8, 12, 12), theta=256.0)
    given = x()[None].bfloat16()
    exact = rotate(RMSNorm(32)(given.float()), rope)
    assert torch.equal(norm(given, rope), exact.bfloat16())


@pytest.mark.parametrize("num_turned", [0, 5])
def test_gradients_of_norm_and_rotation_are_those_of_autograd(num_turned):
    norm = RMSNorm(8).double()
    norm.weight.data = torch.linspace(0.5, 2, 8, dtype=torch.float64)
    rope = rope_table((1, 1, 5), (4, 2, 2), theta=256.0).to(torch.complex128) if num_turned else None
    given = torch.randn(2, 5, 3, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    heads = given.transpose(1, 2).requires_grad_()  # as a projection leaves them
    assert torch.autograd.gradcheck(lambda x, _: norm(x, rope), (heads, norm.weight))


def test_recording_changes_no_bit_of_norm_and_rotation():
    norm, rope = RMSNorm(32), rope_table((1, 1, 5), (8, 12, 12), theta=256.0)
    for given in (x()[:, None], x()[:, None].bfloat16()):
        with torch.no_grad():
            plain = norm(given, rope)
        assert torch.equal(norm(given, rope), plain)


def test_layer_norm_has_no_mean_and_unit_variance():
    result = layer_norm(x())
    torch.testing.assert_close(result.mean(-1), torch.zeros(2, 5), rtol=0, atol=1e-6)
    torch.testing.assert_close(result.var(-1, unbiased=False), torch.ones(2, 5))


def test_a_single_vector_is_normed_alike_recorded_or_not():
    norm, x = RMSNorm(8), torch.arange(8.0)
    with torch.no_grad():
        expected = norm(x)
    assert torch.equal(norm(x), expected)
