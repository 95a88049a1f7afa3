"""Rotary position embedding over the axes of a token grid. Paper 4.2; arXiv 2104.09864."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

MIN_PLAIN = 256  # released: the longest prompt; one table serves all that are shorter


def rope_table(
    grid: Sequence[int],
    axes_dim: Sequence[int],
    *,
    theta: float,
    num_plain: int = 0,
    device: torch.device | None = None,
) -> Complex[Tensor, "s half"]:
    """Unit complex numbers that turn each token's channel pairs: pair k of axis a by position * theta^(-2k / d_a).

    Tokens run over `grid` in row-major order; `num_plain` tokens that do not turn (text) follow. complex64, because
    angles must be float32: `s = prod(grid) + num_plain`, `half = sum(axes_dim) / 2`.
    """
    half = sum(axes_dim) // 2
    table = torch.empty(*grid, half, dtype=torch.complex64, device=device)
    start = 0
    for axis, (size, dim) in enumerate(zip(grid, axes_dim, strict=True)):
        frequency = 1.0 / theta ** (torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim)
        angle = torch.outer(torch.arange(size, device=device, dtype=torch.float32), frequency)
        shape = [1] * len(grid) + [dim // 2]
        shape[axis] = size
        table[..., start : start + dim // 2] = torch.polar(torch.ones_like(angle), angle).view(shape)
        start += dim // 2
    table = table.view(-1, half)
    return torch.cat([table, table.new_ones(num_plain, half)]) if num_plain else table


class RopeTables:
    """The table of the grid at hand, made once for all steps, both halves of guidance and every length of text."""

    def __init__(self, axes_dim: Sequence[int], *, theta: float) -> None:
        self._axes_dim, self._theta = axes_dim, theta
        self._kept: tuple[tuple[object, ...], Tensor] = (), torch.empty(0)  # one value: threads never see half of it

    def __call__(self, grid: Sequence[int], *, num_plain: int, device: torch.device) -> Complex[Tensor, "s half"]:
        """As `rope_table`; a view of one that may be longer."""
        key, num_tokens = (tuple(grid), device), math.prod(grid) + num_plain
        kept_key, table = self._kept
        if key != kept_key or len(table) < num_tokens:
            with torch.inference_mode(False):  # a table made while drawing serves the next step of training
                table = rope_table(
                    grid, self._axes_dim, theta=self._theta, num_plain=max(num_plain, MIN_PLAIN), device=device
                )
            self._kept = key, table
        return table[:num_tokens]


def rotate(
    x: Float[Tensor, "b heads s d"], table: Complex[Tensor, "s half"] | Float[Tensor, "s half 2"]
) -> Float[Tensor, "b heads s d"]:
    """`x` with its adjacent channel pairs (0, 1), (2, 3), ... turned by `table`; in float32 at least.

    A table of real and imaginary parts does the same in more steps, which a compiler makes one of.
    """
    exact = x.to(torch.promote_types(x.dtype, torch.float32))  # released: rotation is float32
    if not table.is_complex():
        (a, b), (cos, sin) = exact.unflatten(-1, (-1, 2)).unbind(-1), table.unbind(-1)
        return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    pairs = torch.view_as_complex(exact.unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table).flatten(-2)
