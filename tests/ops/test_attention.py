"""Attention: against the formula, and blind to what lies after a sample's length."""

import pytest
import torch
from torch import Tensor

from muybridge.ops.attention import attend
from muybridge.ops.attention.attend import MIN_BLOCKED_TOKENS
from muybridge.ops.attention.blocked import blocked_attention, recorded_attention
from muybridge.ops.attention.short import short_attention

TOLERANCE = 2e-6  # float32 rounding of a softmax over 13 keys
BLOCKED_MEAN, BLOCKED_LARGEST = (
    0.006,
    0.12,
)  # of the output's deviation, measured 0.004 and 0.08; torch's kernel: 0.002, 0.03


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


def normed(*, num_tokens: int, deviation: float, heads: int = 4, d: int = 64) -> list[Tensor]:
    """Queries and keys as the transformer's norms leave them: logits of this deviation."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, heads, num_tokens, d, generator=generator)
    q, k = (torch.nn.functional.rms_norm(x, (d,)) * deviation**0.5 for x in (q, k))
    return [q.bfloat16(), k.bfloat16(), v.bfloat16()]


def errors(ours: Tensor, exact: Tensor) -> tuple[float, float]:
    """Root mean square and largest difference, over the deviation of what is exact."""
    difference = (ours.double() - exact) / exact.std()
    return float(difference.square().mean().sqrt()), float(difference.abs().max())


@pytest.mark.parametrize("deviation", [1.0, 4.0, 8.0])
def test_blocks_are_near_the_formula_however_sharp(deviation):
    q, k, v = normed(num_tokens=300, deviation=deviation)
    mean, largest = errors(blocked_attention(q, k, v), formula(q, k, v))
    assert mean < BLOCKED_MEAN and largest < BLOCKED_LARGEST


def test_a_key_that_outweighs_all_is_found_also_between_the_strides():
    q, k, v = normed(num_tokens=300, deviation=1.0)
    k[:, :, 13] = 6 * q.mean(2)
    q = q + q.mean(2, keepdim=True) * 20
    assert errors(blocked_attention(q, k, v), formula(q, k, v))[0] < BLOCKED_MEAN * 3


def test_blocks_of_queries_make_the_whole(monkeypatch):
    q, k, v = normed(num_tokens=200, deviation=1.0)
    whole = blocked_attention(q, k, v)
    monkeypatch.setattr("muybridge.ops.attention.blocked.BLOCK_ELEMENTS", 1)  # blocks of 64 queries, the last of 8
    assert errors(blocked_attention(q, k, v), whole.double())[1] < 0.01


@pytest.mark.parametrize("num_tokens", [MIN_BLOCKED_TOKENS - 1, MIN_BLOCKED_TOKENS, 200])
def test_bfloat16_gradients_are_near_those_of_the_formula(num_tokens):
    given = normed(num_tokens=num_tokens, deviation=2.0)
    ours, theirs = [x.requires_grad_() for x in given], [x.double().detach().requires_grad_() for x in given]
    weight = torch.randn(given[2].shape, generator=torch.Generator().manual_seed(1)).bfloat16()
    attend(*ours).backward(weight)
    formula(*theirs).backward(weight.double())
    for own, their in zip(ours, theirs, strict=True):
        assert errors(own.grad, their.grad)[0] < 3 * BLOCKED_MEAN


@pytest.mark.parametrize("lengths", [None, [13, 5, 1]])
def test_recorded_attention_has_the_gradients_of_the_formula(lengths):
    ours, theirs = ([x.double().requires_grad_() for x in qkv()] for _ in range(2))
    recorded_attention(*ours, lengths=lengths).square().sum().backward()
    for i, length in enumerate(lengths or [13] * 3):
        formula(*(x[i, :, :length] for x in theirs)).square().sum().backward()
    for own, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, their.grad)


def test_recording_changes_no_bit_of_a_sample():
    q, k, v = normed(num_tokens=200, deviation=2.0)
    plain = attend(q, k, v)
    assert torch.equal(attend(q.requires_grad_(), k, v), plain)


@pytest.mark.parametrize("lengths", [None, [5, 13, 7]])
def test_short_attention_is_the_formula_on_every_sample(lengths):
    q, k, v = qkv()
    out = short_attention(q, k, v, lengths=lengths)
    for i, length in enumerate(lengths or [13] * 3):
        alone = formula(q[i, :, :length], k[i, :, :length], v[i, :, :length])
        torch.testing.assert_close(out[i, :, :length].double(), alone, rtol=0, atol=TOLERANCE)
        assert not out[i, :, length:].any()


def test_short_attention_has_the_gradients_of_the_formula():
    ours, theirs = ([x.double().requires_grad_() for x in qkv()] for _ in range(2))
    short_attention(*ours, lengths=[5, 13, 7]).square().sum().backward()
    for i, length in enumerate([5, 13, 7]):
        formula(*(x[i, :, :length] for x in theirs)).square().sum().backward()
    for own, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, their.grad)


def test_training_in_bfloat16_takes_the_short_way_and_stays_near_the_formula():
    q, k, v = (x.requires_grad_() for x in qkv(dtype=torch.bfloat16))
    out = attend(q, k, v, lengths=[13, 13, 13])
    assert torch.equal(out, short_attention(q, k, v, lengths=None))
    assert (out.double() - formula(q, k, v)).std() < 0.01 * out.double().std()
