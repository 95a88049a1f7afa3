"""What a block calls when its tokens attend to each other, and how samples of different length are served."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor

Grid = tuple[int, int, int]  # frames, rows and columns of the visual tokens
Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]  # queries, keys and values (b, heads, s, d) of whole samples


class Attention(Protocol):
    """What a block calls: softmax attention over the tokens of both streams, the visual ones first.

    `lengths` as in `attend`; `grid` is that of the visual tokens, for those that leave pairs of tokens out.
    """

    def __call__(
        self,
        query: Float[Tensor, "b heads s d"],
        key: Float[Tensor, "b heads s d"],
        value: Float[Tensor, "b heads s d"],
        *,
        lengths: Sequence[int] | None = None,
        grid: Grid | None = None,
    ) -> Float[Tensor, "b heads s d"]:
        """What each token attends to, in the dtype of `value`."""
        ...


def is_whole(value: Tensor, lengths: Sequence[int] | None) -> bool:
    """True where every token of every sample is valid."""
    return lengths is None or min(lengths) == value.shape[2]


def one_by_one(
    kernel: Kernel, query: Tensor, key: Tensor, value: Tensor, *, lengths: Sequence[int] | None
) -> Float[Tensor, "b heads s d"]:
    """Each sample apart: neither the others nor the padding have a part in it, whose own result is zero."""
    b, heads, s, d = value.shape
    parts: list[Tensor] = []
    for *qkv, length in zip(query.split(1), key.split(1), value.split(1), lengths or [s] * b, strict=True):
        q, k, v = (x[:, :, :length] for x in qkv)
        attended = kernel(q, k, v)[0].transpose(0, 1)
        parts += [attended, attended.new_zeros(s - length, heads, d)] if length < s else [attended]
    return torch.cat(parts).unflatten(0, (b, s)).transpose(1, 2)
