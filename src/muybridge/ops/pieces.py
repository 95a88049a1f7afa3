"""A long sequence piece by piece: what is made of a few thousand tokens at a time takes that many tokens' memory."""

from collections.abc import Iterator

CHUNK_TOKENS = 4096


def pieces(num_tokens: int, num_runs: int, chunk_tokens: int | None) -> Iterator[tuple[slice, slice]]:
    """Slices of the tokens, in order, about `chunk_tokens` each, and of the runs' signals that are theirs.

    The tokens are `num_runs` equal runs (as in `ops.modulation`). A piece is a part of one run or some whole runs, and
    pieces of runs are of about the same length, because a short rest would be computed by other kernels. None: one piece.
    """
    length = num_tokens // num_runs
    if chunk_tokens is None or num_tokens <= chunk_tokens:
        yield slice(0, num_tokens), slice(0, num_runs)
        return
    if length <= chunk_tokens:
        for first, last in _even(num_runs, -(-num_runs // (chunk_tokens // length))):
            yield slice(first * length, last * length), slice(first, last)
        return
    for run in range(num_runs):
        for first, last in _even(length, -(-length // chunk_tokens)):
            yield slice(run * length + first, run * length + last), slice(run, run + 1)


def _even(total: int, num_parts: int) -> Iterator[tuple[int, int]]:
    """Where parts of about equal length begin and end."""
    for part in range(num_parts):
        yield part * total // num_parts, (part + 1) * total // num_parts
