"""Which cells see which: sliding tiles and radial attention."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput, invalid
from muybridge.ops.attention.cells import Cells, cell_places, even_steps, grid_cells
from muybridge.ops.attention.interface import Grid


class Pattern(Protocol):
    """A rule that leaves pairs of visual tokens out."""

    def cells(self, grid: Grid) -> Cells:
        """The rule over one grid."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SlidingTile:
    """A tile of tokens sees the window of tiles around it, moved inwards at the borders. arXiv 2502.04507.

    window: tiles along t, h, w. tile: tokens along t, h, w; those at the far border may be smaller. sees_first_frame:
    the first frame, which holds the picture of image-to-video, is tiles of its own that see and are seen by all.
    """

    window: tuple[int, int, int] = (3, 3, 3)
    tile: tuple[int, int, int] = (6, 8, 8)
    sees_first_frame: bool = False

    def __post_init__(self) -> None:
        for name, sizes in (("window", self.window), ("tile", self.tile)):
            if len(sizes) != 3 or min(sizes) < 1:
                raise invalid(f"{name}={_by(sizes)}", "needs three numbers of at least 1", "use 3x3x3 tiles of 6x8x8")

    def cells(self, grid: Grid) -> Cells:
        """Tiles, and for each the window it sees."""
        t, h, w = (even_steps(size, tile) for size, tile in zip(grid, self.tile, strict=True))
        if self.sees_first_frame:
            t = torch.cat([t.new_zeros(1), 1 + even_steps(grid[0] - 1, self.tile[0])])
        place = cell_places((t, h, w))
        allowed = torch.ones(len(place), len(place), dtype=torch.bool)
        for axis, width in zip(place.unbind(1), self.window, strict=True):
            start = (axis - width // 2).clamp(max=int(axis.max()) + 1 - width).clamp(min=0)
            allowed &= (axis >= start[:, None]) & (axis < start[:, None] + width)
        if self.sees_first_frame:
            is_first = place[:, 0] == 0
            allowed |= is_first | is_first[:, None]
        return Cells(of=grid_cells((t, h, w)), allowed=allowed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Radial:
    """What a frame sees of another narrows as they are further apart in time. arXiv 2506.19852.

    At a distance of 2^k to 2^(k+1) frames the window around a tile is `reach` * 2^-k of a frame's area, so that every
    doubling of the distance costs alike; where that is less than one tile, only some frames are seen, at that tile. The
    first frame is seen by all. tile: tokens along h, w. Differs from the paper: windows have two dimensions, theirs is
    a band over the rows.
    """

    reach: float = 1.0
    tile: tuple[int, int] = (8, 8)

    def __post_init__(self) -> None:
        if not self.reach > 0:
            raise invalid(f"reach={self.reach}", "is a share of a frame, above 0", "use 1")
        if len(self.tile) != 2 or min(self.tile) < 1:
            raise invalid(f"tile={_by(self.tile)}", "needs two numbers of at least 1", "use 8x8")

    def cells(self, grid: Grid) -> Cells:
        """Tiles of single frames, and for each those it sees."""
        num_frames, height, width = grid
        steps = (torch.arange(num_frames), even_steps(height, self.tile[0]), even_steps(width, self.tile[1]))
        frame, row, column = cell_places(steps).unbind(1)
        distance = _apart(frame)
        area = self.reach * 0.5 ** distance.clamp(min=1).log2().floor()
        num_rows, num_columns = int(row.max()) + 1, int(column.max()) + 1
        near = _apart(row) <= area.sqrt() * num_rows / 2
        near &= _apart(column) <= area.sqrt() * num_columns / 2
        stride = (1 / (area * num_rows * num_columns)).ceil().clamp(min=1)
        allowed = near & (distance % stride == 0)
        allowed |= (area >= 1) | (frame == 0)
        allowed |= torch.eye(len(frame), dtype=torch.bool)
        return Cells(of=grid_cells(steps), allowed=allowed)


def parse_pattern(text: str) -> Pattern | None:
    """The pattern of a name such as "sliding-tile:3x3x3,tile=6x8x8,first-frame" or "radial:0.5,tile=8x8".

    None where it names none. Raises InvalidInput where it does and what follows is wrong.
    """
    name, _, rest = text.partition(":")
    if name not in _PATTERNS:
        return None
    kind, first = _PATTERNS[name]
    try:
        return kind(**dict(_field(word, first) for word in rest.split(",") if word))
    except InvalidInput:
        raise
    except (ValueError, TypeError):
        rule = "is read as sliding-tile:3x3x3,tile=6x8x8,first-frame or radial:0.5,tile=8x8"
        raise invalid(f"attention={text}", rule, "leave out what is to stay as it is") from None


_PATTERNS: dict[str, tuple[type, str]] = {"sliding-tile": (SlidingTile, "window"), "radial": (Radial, "reach")}


def _field(word: str, first: str) -> tuple[str, object]:
    """A field and its value; `first` is the one that is given without its name."""
    if word == "first-frame":
        return "sees_first_frame", True
    name, _, value = word.rpartition("=")
    is_sizes = "x" in value
    return name or first, tuple(int(size) for size in value.split("x")) if is_sizes else float(value)


def _apart(axis: Tensor) -> Tensor:
    return (axis[:, None] - axis).abs()


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
