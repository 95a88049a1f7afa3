"""Large tables of unit vectors, compared block by block: memory stays small and the order of sums is fixed."""

from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from muybridge.core.errors import invalid

BLOCK = 4096  # rows of either side of a product: 64 MiB of cosines
NONE = -2.0  # below every cosine


@contextmanager
def one_thread() -> Iterator[None]:
    """Within the block torch adds up in one order, so that equal rows give equal bytes on any number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def unit_rows(vectors: Float[np.ndarray, "n d"]) -> Float32[Tensor, "n d"]:
    """The rows at length 1, float32. Raises InvalidInput on rows without a direction."""
    rows = torch.from_numpy(np.array(vectors, np.float32, order="C"))
    if rows.ndim != 2:
        raise invalid(f"vectors of shape {tuple(rows.shape)}", "a row for each clip", "stack them")
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool((lengths.isfinite() & (lengths > 0)).all()):
        raise invalid("a vector of zeros or NaN", "has no direction", "embed that clip again")
    return rows.div_(lengths)


def in_order(ids: Sequence[str], *tables: Sized) -> Int[np.ndarray, " n"]:
    """Places of the ids as sorted. Raises InvalidInput on an id that comes twice, or a table of other length."""
    if len(set(ids)) != len(ids):
        raise invalid("ids", "one is given twice", "give every clip once")
    for table in tables:
        if len(table) != len(ids):
            raise invalid(f"a table of {len(table)} rows", f"there are {len(ids)} ids", "give a row for each clip")
    return np.argsort(np.asarray(ids, dtype=str), kind="stable")


def nearest(rows: Float32[Tensor, "n d"], centres: Float32[Tensor, "k d"]) -> tuple[Tensor, Tensor]:
    """(cosine, number) of the centre nearest to each row; the lower number where two are equally near."""
    best, number = torch.empty(len(rows)), torch.empty(len(rows), dtype=torch.long)
    for start in range(0, len(rows), BLOCK):
        block = slice(start, start + BLOCK)
        best[block], number[block] = (rows[block] @ centres.T).max(1)
    return best, number


def nearest_few(rows: Float32[Tensor, "n d"], centres: Float32[Tensor, "k d"], few: int) -> Int[Tensor, "n m"]:
    """The `few` centres nearest to each row, nearest first; all of them where there are no more."""
    count = min(few, len(centres))
    found = [(rows[start : start + BLOCK] @ centres.T).topk(count, dim=1).indices
             for start in range(0, len(rows), BLOCK)]  # fmt: skip
    return torch.cat(found) if found else torch.zeros(0, count, dtype=torch.long)


def neighbours(rows: Float32[Tensor, "n d"], *, count: int, least: float) -> Int[Tensor, "p 2"]:
    """Pairs of places (i, j), i < j: either is among the `count` nearest of the other, at a cosine of `least` or more.

    Time n^2 d; memory a block of products.
    """
    pairs = [torch.zeros(0, 2, dtype=torch.long)]
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        best = torch.full((len(block), count), NONE)
        found = torch.zeros(len(block), count, dtype=torch.long)
        for other in range(0, len(rows), BLOCK):
            cosines = block @ rows[other : other + BLOCK].T
            if other == start:
                cosines.fill_diagonal_(NONE)
            values, places = cosines.topk(min(count, cosines.shape[1]), dim=1)
            best, order = torch.cat([best, values], 1).topk(count, dim=1)
            found = torch.cat([found, places + other], 1).gather(1, order)
        mine, rank = torch.nonzero(best >= max(least, NONE + 1), as_tuple=True)
        pairs.append(torch.stack([mine + start, found[mine, rank]], 1).sort(dim=1).values)
    return torch.cat(pairs).unique(dim=0)
