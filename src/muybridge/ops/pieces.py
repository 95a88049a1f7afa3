"""A long sequence piece by piece: what is made of a few thousand tokens at a time takes that many tokens' memory."""

from collections.abc import Callable, Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK_TOKENS = 4096


def pieces(num_tokens: int, num_runs: int, chunk_tokens: int | None) -> Iterator[tuple[slice, slice]]:
    """Slices of the tokens, in order, at most `chunk_tokens` each, and of the runs' signals that are theirs.

    The tokens are `num_runs` equal runs (as in `ops.modulation`). A piece is a part of one run or some whole runs, all
    about equally long, because a short rest might go through other kernels, which round otherwise. None: one piece.
    """
    length = num_tokens // num_runs
    if chunk_tokens is None or num_tokens <= chunk_tokens:
        yield slice(0, num_tokens), slice(0, num_runs)
    elif length <= chunk_tokens:
        for first, last in _even(num_runs, -(-num_runs // (chunk_tokens // length))):
            yield slice(first * length, last * length), slice(first, last)
    else:
        for run in range(num_runs):
            for first, last in _even(length, -(-length // chunk_tokens)):
                yield slice(run * length + first, run * length + last), slice(run, run + 1)


def by_pieces(
    make: Callable[..., Float[Tensor, "b _ out"]],
    tokens: Sequence[Float[Tensor, "b n _"]],
    *,
    signals: Sequence[Float[Tensor, "b g d"]],
    chunk_tokens: int | None,
) -> Float[Tensor, "b n out"]:
    """`make(*tokens, *signals)`, where a token of the result needs no other token; whole where gradients are recorded.

    Beside the result it takes the memory of one piece.
    """
    num_tokens, num_runs = tokens[0].shape[1], signals[0].shape[1]
    if torch.is_grad_enabled() or chunk_tokens is None or num_tokens <= chunk_tokens:
        return make(*tokens, *signals)
    out: Tensor | None = None
    for part, runs in pieces(num_tokens, num_runs, chunk_tokens):
        made = make(*(x[:, part] for x in tokens), *(signal[:, runs] for signal in signals))
        if out is None:
            out = made.new_empty(len(made), num_tokens, made.shape[2])
        out[:, part] = made
    return out  # type: ignore[return-value]


def _even(total: int, num_parts: int) -> Iterator[tuple[int, int]]:
    """Where parts of about equal length begin and end."""
    for part in range(num_parts):
        yield part * total // num_parts, (part + 1) * total // num_parts
