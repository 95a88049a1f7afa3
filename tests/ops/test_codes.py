"""Codes looked up are the numbers that they stand for."""

import pytest
import torch

from muybridge.ops.codes import FP8, NF4, in_pairs, nf4_codes, paired, widened

BYTES = torch.arange(256, dtype=torch.uint8).reshape(2, 128)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("code", [*FP8, torch.int8])
def test_every_byte_is_widened_exactly(code, dtype):
    codes = BYTES.view(code)
    torch.testing.assert_close(widened(codes, dtype), codes.to(dtype), rtol=0, atol=0, equal_nan=True)
    turned = codes.t()
    torch.testing.assert_close(widened(turned, dtype), turned.to(dtype), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("high_first", [True, False])
def test_pairs_stand_side_by_side(dtype, high_first):
    values = torch.arange(16).to(dtype)
    found = paired(BYTES, values, high_first=high_first).unflatten(1, (-1, 2))
    high, low = (0, 1) if high_first else (1, 0)
    assert torch.equal(found[..., high], (BYTES >> 4).to(dtype)) and torch.equal(
        found[..., low], (BYTES & 15).to(dtype)
    )


def test_what_is_paired_comes_apart_again():
    codes = torch.arange(15, dtype=torch.uint8)[None]
    table = torch.arange(16.0)
    assert torch.equal(paired(in_pairs(codes), table)[:, :15], codes.float())


def test_nf4_takes_the_nearest_value():
    x, table = torch.linspace(-1, 1, 1001), torch.tensor(NF4)
    nearest = (x[:, None] - table).abs().amin(1)
    torch.testing.assert_close((table[nf4_codes(x).long()] - x).abs(), nearest, rtol=0, atol=0)
