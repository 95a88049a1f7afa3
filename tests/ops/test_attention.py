"""Attention: against the formula, and blind to what lies after a sample's length."""

import pytest
import torch
from torch import Tensor

from muybridge.ops.attention import attend

TOLERANCE = 2e-6  # float32 rounding of a softmax over 13 keys


def qkv(*, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(3, 2, 13, 8, generator=generator).to(dtype) for _ in range(3)]


def formula(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = q.double(), k.double(), v.double()
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


def test_attend_is_the_formula():
    q, k, v = qkv()
    torch.testing.assert_close(attend(q, k, v).double(), formula(q, k, v), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("lengths", [[13, 13, 13], [5, 13, 5], [1, 2, 3]])
def test_a_batch_of_lengths_is_its_samples(lengths):
    q, k, v = qkv()
    out = attend(q, k, v, lengths=lengths)
    for i, length in enumerate(lengths):
        alone = formula(q[i, :, :length], k[i, :, :length], v[i, :, :length])
        torch.testing.assert_close(out[i, :, :length].double(), alone, rtol=0, atol=TOLERANCE)
        assert not out[i, :, length:].any()


def test_what_follows_the_length_is_not_read():
    q, k, v = qkv()
    before = attend(q, k, v, lengths=[5, 13, 7])
    for x in (q, k, v):
        x[0, :, 5:] = float("nan")
    torch.testing.assert_close(attend(q, k, v, lengths=[5, 13, 7]), before, rtol=0, atol=0)


def test_gradients_of_a_batch_of_lengths_are_those_of_the_formula():
    ours, theirs = ([x.double().requires_grad_() for x in qkv()] for _ in range(2))
    attend(*ours, lengths=[5, 13, 7]).square().sum().backward()
    for i, length in enumerate([5, 13, 7]):
        formula(*(x[i, :, :length] for x in theirs)).square().sum().backward()
    for own, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, their.grad)


def test_the_result_has_the_dtype_of_the_values():
    q, k, v = qkv()
    assert attend(q, k, v.bfloat16()).dtype == torch.bfloat16
