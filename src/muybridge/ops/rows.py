"""Linear layers over few rows, rounded alike however many there are."""

from collections.abc import Callable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

MIN_ROWS = 32  # measured: float32 products of under 4 rows (12 with two threads) take kernels that round otherwise


def few_rows(layer: Callable[[Tensor], Tensor], x: Float[Tensor, "*shape d"]) -> Float[Tensor, "*shape out"]:
    """`layer(x)`, computed with rows of zeros below so that one sample gives the same bits alone and in a batch.

    For conditioning vectors, which are a row or a few per sample: reading the weights takes longer than the extra rows.
    """
    rows = x.reshape(-1, x.shape[-1])
    padded = F.pad(rows, (0, 0, 0, max(0, MIN_ROWS - len(rows))))
    return layer(padded)[: len(rows)].reshape(*x.shape[:-1], -1)
