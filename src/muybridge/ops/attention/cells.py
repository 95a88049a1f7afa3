"""Groups of visual tokens that attend alike: what a sparse pattern is, however it is computed."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Integer
from torch import Tensor

from muybridge.ops.attention.interface import Grid


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """A pattern over one grid: the tokens of a cell see the tokens of the cells that it may see, whole.

    of: the cell of each visual token, in t, h, w order; allowed: True where a query's cell (row) sees a key's. The text
    sees every token and is seen by all, so it needs no cell.
    """

    of: Integer[Tensor, " n"]
    allowed: Bool[Tensor, "c c"]

    @property
    def sees_all(self) -> bool:
        """True where nothing is left out."""
        return bool(self.allowed.all())

    def num_pairs(self, num_text: int) -> int:
        """Pairs of a query and a key that are computed."""
        sizes = torch.bincount(self.of, minlength=len(self.allowed)).double()
        return round(float(sizes @ self.allowed.double() @ sizes)) + num_text * (2 * len(self.of) + num_text)

    def density(self, num_text: int) -> float:
        """Share of all pairs that are computed: of attention's operations, 4 * heads * d for each pair."""
        return self.num_pairs(num_text) / (len(self.of) + num_text) ** 2

    def with_text(self) -> "Cells":
        """The text as one more cell, the last; its tokens are still to be counted in."""
        num_cells = len(self.allowed)
        allowed = torch.ones(num_cells + 1, num_cells + 1, dtype=torch.bool)
        allowed[:num_cells, :num_cells] = self.allowed
        return Cells(of=self.of, allowed=allowed)

    def pairs(self, num_text: int) -> Bool[Tensor, "s s"]:
        """The dense mask over all tokens, the text last."""
        of = torch.cat([self.of, self.of.new_full((num_text,), len(self.allowed))])
        return self.with_text().allowed[of[:, None], of]


def grid_cells(steps: tuple[Tensor, Tensor, Tensor]) -> Integer[Tensor, " n"]:
    """The cell of each token, where `steps` says for every index along an axis which step of cells it belongs to."""
    t, h, w = steps
    num_rows, num_columns = int(h.max()) + 1, int(w.max()) + 1
    return ((t[:, None, None] * num_rows + h[:, None]) * num_columns + w).flatten()


def cell_places(steps: tuple[Tensor, Tensor, Tensor]) -> Integer[Tensor, "c 3"]:
    """Frame, row and column of each cell among the cells."""
    return torch.cartesian_prod(*(torch.arange(int(axis.max()) + 1) for axis in steps))


def even_steps(size: int, tile: int) -> Integer[Tensor, " size"]:
    """Indices along an axis in steps of `tile`, the last one shorter where it does not divide."""
    return torch.arange(size) // tile


def check_grid(grid: Grid | None, num_tokens: int) -> Grid:
    """`grid`, which must be known and fit into so many tokens; anything else is our own mistake."""
    if grid is None or grid[0] * grid[1] * grid[2] > num_tokens:
        raise AssertionError(f"a pattern over {num_tokens} tokens was given the grid {grid}")
    return grid
