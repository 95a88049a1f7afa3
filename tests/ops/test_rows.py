"""Few rows through a linear layer."""

import pytest
import torch

from muybridge.ops.rows import few_rows


@pytest.mark.parametrize("shape", [(1, 64), (4, 64), (2, 5, 64), (40, 64), (64,)])
def test_few_rows_are_the_layer(shape):
    layer, x = torch.nn.Linear(64, 48), torch.randn(shape)
    torch.testing.assert_close(few_rows(layer, x), layer(x))


def test_a_row_has_the_same_bits_alone_and_among_others():
    layer, x = torch.nn.Linear(256, 768), torch.randn(7, 256)
    together = few_rows(layer, x)
    assert all(torch.equal(few_rows(layer, x[i : i + 1]), together[i : i + 1]) for i in range(7))
