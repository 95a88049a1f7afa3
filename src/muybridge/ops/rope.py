"""Rotary position embedding over the axes of a token grid. Paper 4.2; arXiv 2104.09864."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from muybridge.core.errors import invalid

MIN_PLAIN = 256  # released: the longest prompt; one table serves all that are shorter
PERIOD_SHARE = 0.9  # arXiv 2502.15894: of one turn, that the whole film takes

Bend = Callable[[Tensor, int], Tensor]  # the frequencies (half,) of time and the film's tokens along it -> those to use


def as_trained(frequencies: Float[Tensor, "half"], _num_frames: int) -> Float[Tensor, "half"]:
    """The frequencies as they are."""
    return frequencies


@dataclass(frozen=True, kw_only=True, slots=True)
class Riflex:
    """Slows the `index`-th frequency of time, from 1, until the film is 0.9 of its turn.   arXiv 2502.15894, Eq. 8.

    That component's turn is about as long as the films of training; in a film that is longer it comes round again, and
    the film with it. 0.9 is the authors' margin. Raises InvalidInput on an index below 1 or beyond the frequencies.
    """

    index: int

    def __call__(self, frequencies: Float[Tensor, "half"], num_frames: int) -> Float[Tensor, "half"]:
        """The frequencies with the one of the index set."""
        if not 1 <= self.index <= len(frequencies):
            rule = f"the frequencies of time are 1 to {len(frequencies)}"
            raise invalid(f"frequency {self.index}", rule, f"use {len(frequencies)}")
        bent = frequencies.clone()
        bent[self.index - 1] = PERIOD_SHARE * 2 * math.pi / num_frames
        return bent


def rope_table(
    grid: Sequence[int],
    axes_dim: Sequence[int],
    *,
    theta: float,
    num_plain: int = 0,
    device: torch.device | None = None,
    bend: Bend = as_trained,
) -> Complex[Tensor, "s half"]:
    """Unit complex numbers that turn each token's channel pairs: pair k of axis a by position * theta^(-2k / d_a).

    Tokens run over `grid` in row-major order; `num_plain` tokens that do not turn (text) follow. complex64, because
    angles must be float32: `s = prod(grid) + num_plain`, `half = sum(axes_dim) / 2`. `bend` changes the frequencies of
    the first axis, time.
    """
    half = sum(axes_dim) // 2
    table = torch.empty(*grid, half, dtype=torch.complex64, device=device)
    start = 0
    for axis, (size, dim) in enumerate(zip(grid, axes_dim, strict=True)):
        frequency = 1.0 / theta ** (torch.arange(0, dim, 2, device=device, dtype=torch.float32) / dim)
        frequency = bend(frequency, size) if axis == 0 else frequency
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
        self._bend: Bend = as_trained
        self._kept: tuple[tuple[object, ...], Tensor] = (), torch.empty(0)  # one value: threads never see half of it

    def __call__(self, grid: Sequence[int], *, num_plain: int, device: torch.device) -> Complex[Tensor, "s half"]:
        """As `rope_table`; a view of one that may be longer."""
        key, num_tokens = (tuple(grid), device, self._bend), math.prod(grid) + num_plain
        kept_key, table = self._kept
        if key != kept_key or len(table) < num_tokens:
            longest = max(num_plain, MIN_PLAIN)
            with torch.inference_mode(False):  # a table made while drawing serves the next step of training
                table = rope_table(
                    grid, self._axes_dim, theta=self._theta, num_plain=longest, device=device, bend=self._bend
                )
            self._kept = key, table
        return table[:num_tokens]

    @contextmanager
    def bent(self, bend: Bend) -> Iterator[None]:
        """Inside, tables have time's frequencies bent so; afterwards they are as before."""
        before, self._bend = self._bend, bend
        try:
            yield
        finally:
            self._bend = before


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
