"""Attention by a pattern: what it leaves out is not computed."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from muybridge.ops.attention.attend import attend, attend_whole
from muybridge.ops.attention.cells import Cells, check_grid
from muybridge.ops.attention.flex import FlexPlan, flex_attend
from muybridge.ops.attention.interface import Grid
from muybridge.ops.attention.patterns import Pattern

MAX_PLANS = 8  # sizes and prompt lengths that are remembered


@dataclass(frozen=True, kw_only=True, slots=True)
class Gathering:
    """Queries that see the same visual keys."""

    queries: Integer[Tensor, " q"]
    keys: Integer[Tensor, " k"]


class SparseAttention:
    """Attention that leaves out what its pattern leaves out; the text sees all and is seen by all.

    On CUDA by FlexAttention over blocks of tokens; elsewhere cell by cell, each with the keys it sees, by the exact
    kernels. Both skip the work: operations fall to `Cells.density` of those of all pairs. One sample after the other,
    each as long as its length. Takes float32, bfloat16, float16 (and float64 off CUDA), and records gradients.
    """

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self._plan = functools.lru_cache(maxsize=MAX_PLANS)(self._planned)

    def __call__(
        self,
        query: Float[Tensor, "b heads s d"],
        key: Float[Tensor, "b heads s d"],
        value: Float[Tensor, "b heads s d"],
        *,
        lengths: Sequence[int] | None = None,
        grid: Grid | None = None,
    ) -> Float[Tensor, "b heads s d"]:
        """As `ops.attention.attend`, without the pairs that the pattern leaves out on this grid."""
        b, heads, s, d = value.shape
        whole = check_grid(grid, s)
        query, key = query.to(value.dtype), key.to(value.dtype)
        out = value.new_zeros(b, s, heads, d).transpose(1, 2)  # a token's heads lie together, as the next layer reads
        for i, length in enumerate(lengths or [s] * b):
            q, k, v = (x[i : i + 1, :, :length] for x in (query, key, value))
            out[i : i + 1, :, :length] = self._sample(q, k, v, grid=whole)
        return out

    def _sample(self, query: Tensor, key: Tensor, value: Tensor, *, grid: Grid) -> Tensor:
        plan = self._plan(grid, value.shape[2], value.device)
        if plan is None:
            return attend(query, key, value)
        if isinstance(plan, FlexPlan):
            return flex_attend(query, key, value, plan=plan)
        return gathered(query, key, value, plan=plan, num_visual=grid[0] * grid[1] * grid[2])

    def _planned(self, grid: Grid, num_tokens: int, device: torch.device) -> FlexPlan | list[Gathering] | None:
        """What the pattern is on this grid; None where it leaves nothing out."""
        with torch.inference_mode(False):  # a plan made while drawing serves training
            cells = self.pattern.cells(grid)
            if cells.sees_all:
                return None
            if device.type == "cuda":
                return FlexPlan.of(cells, num_tokens, device=device)
            return gatherings(cells, device)


def gathered(
    query: Float[Tensor, "1 heads s d"],
    key: Float[Tensor, "1 heads s d"],
    value: Float[Tensor, "1 heads s d"],
    *,
    plan: Sequence[Gathering],
    num_visual: int,
) -> Float[Tensor, "1 heads s d"]:
    """Each group of queries with the keys it sees and the text; the text with everything."""
    out = torch.empty_like(value)
    text = torch.arange(num_visual, value.shape[2], device=value.device)
    for group in plan:
        keys = torch.cat([group.keys, text])
        out[:, :, group.queries] = attend_whole(
            query[:, :, group.queries], key.index_select(2, keys), value.index_select(2, keys)
        )
    if len(text):
        out[:, :, num_visual:] = attend_whole(query[:, :, num_visual:], key, value)
    return out


def gatherings(cells: Cells, device: torch.device) -> list[Gathering]:
    """The queries of cells that see the same cells, together: at a grid's borders windows coincide."""
    windows, group = cells.allowed.unique(dim=0, return_inverse=True)
    group_of_token = group[cells.of]
    return [
        Gathering(
            queries=(group_of_token == i).nonzero().flatten().to(device),
            keys=window[cells.of].nonzero().flatten().to(device),
        )
        for i, window in enumerate(windows)
    ]
