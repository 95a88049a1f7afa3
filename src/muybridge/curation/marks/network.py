"""The detector of marks: an anchor-free network with a decoupled head, after YOLOX (arXiv 2107.08430), of nano size.

It looks at a clip's summary over time (see `summary`) and says at each place of three grids whether a mark has its
middle there, of which kind it is, and where its sides are.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.curation.marks.summary import NUM_PLANES

KINDS = ("watermark", "logo", "border")
STRIDES = (8, 16, 32)
PRIOR = 0.01  # how likely a place is taken for a mark before training, as in focal loss (arXiv 1708.02002, 4.1)
MAX_LOG_SIZE = 6.0  # of a box in strides, so that no first weights overflow


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkConfig:
    """Sizes of a detector: the channels at strides 2, 4, 8, 16, 32, those of its head, and the side that it sees."""

    channels: tuple[int, ...] = (16, 32, 64, 96, 96)
    head_channels: int = 56
    side_px: int = 256  # the longer side of its input

    def __post_init__(self) -> None:
        if len(self.channels) != 5 or min(*self.channels, self.head_channels) < 1:
            raise invalid(f"channels={self.channels}", "one positive number for each of five strides", "see MarkConfig")
        if self.side_px % STRIDES[-1]:
            raise invalid(f"side_px={self.side_px}", f"must divide by {STRIDES[-1]}", "use 256")


class Found(NamedTuple):
    """What the network says at each of its n places."""

    boxes: Float[Tensor, "b n 4"]  # left, top, right, bottom in pixels of the input
    objectness: Float[Tensor, "b n"]  # logits
    kinds: Float[Tensor, "b n kinds"]  # logits, in the order of KINDS


class MarkDetector(nn.Module):
    """Strided convolutions, a top-down path, and one head for all three grids."""

    def __init__(self, config: MarkConfig) -> None:
        """Fresh weights from torch's global generator; make it within `seeded`."""
        super().__init__()
        self.config = config
        first, second, *deep = config.channels
        width = config.head_channels
        self.stem = nn.Sequential(_conv(NUM_PLANES + 2, first, stride=2), _conv(first, second, stride=2))
        self.fine = _Residual(second, -(-second // 2))
        self.fine_to_8 = nn.Sequential(
            _conv(second, deep[0], stride=2), _Residual(deep[0], deep[0] // 2), _Residual(deep[0], deep[0] // 2)
        )
        self.to_16 = nn.Sequential(_conv(deep[0], deep[1], stride=2), _Residual(deep[1], deep[1] // 2))
        self.to_32 = nn.Sequential(_separable(deep[1], deep[2], stride=2), _Wide(deep[2]), _Wide(deep[2]))
        self.lateral = nn.ModuleList(_conv(channels, width, size=1) for channels in deep)
        self.merged = nn.ModuleList([_conv(width, width), _conv(width, width), _separable(width, width)])
        self.kind_branch = nn.Sequential(_separable(width, width), _separable(width, width))
        self.box_branch = nn.Sequential(_separable(width, width), _separable(width, width))
        self.kind = nn.Conv2d(width, len(KINDS), 1)
        self.box = nn.Conv2d(width, 4, 1)
        self.objectness = nn.Conv2d(width, 1, 1)
        for layer in (self.kind, self.objectness):
            nn.init.constant_(layer.bias, float(torch.logit(torch.tensor(PRIOR))))  # type: ignore[arg-type]

    def forward(self, planes: Float[Tensor, "b planes h w"]) -> Found:
        """What is found in summaries whose sides divide by 32."""
        seen = torch.cat([planes, _coordinates(planes)], dim=1)
        fine = self.fine(self.stem(seen.contiguous(memory_format=torch.channels_last)))
        at_8 = self.fine_to_8(fine)
        at_16 = self.to_16(at_8)
        at_32 = self.to_32(at_16)
        levels = [lateral(level) for lateral, level in zip(self.lateral, (at_8, at_16, at_32), strict=True)]
        for upper in (1, 0):
            levels[upper] = levels[upper] + F.interpolate(levels[upper + 1], scale_factor=2.0, mode="nearest")
        merged = [layer(level) for layer, level in zip(self.merged, levels, strict=True)]
        parts = [self._head(level, stride) for level, stride in zip(merged, STRIDES, strict=True)]
        return Found(*(torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True)))

    def _head(self, level: Float[Tensor, "b c h w"], stride: int) -> Found:
        """The boxes are given from the middle of each place, in strides; sizes as logarithms (2.1)."""
        at_kind, at_box = self.kind_branch(level), self.box_branch(level)
        raw = self.box(at_box).flatten(2).transpose(1, 2)
        middle, _ = _level_places(level.shape[2], level.shape[3], stride)
        centre = middle.to(raw) + raw[..., :2] * stride
        half = raw[..., 2:].clamp(max=MAX_LOG_SIZE).exp() * (stride / 2)
        return Found(
            boxes=torch.cat([centre - half, centre + half], dim=-1),
            objectness=self.objectness(at_box).flatten(1),
            kinds=self.kind(at_kind).flatten(2).transpose(1, 2),
        )


def places(height_px: int, width_px: int) -> tuple[Float[Tensor, "n 2"], Float[Tensor, " n"]]:
    """The middle (x, y) of each place, in pixels of an input of this size, and its stride; in the order of `Found`."""
    levels = [_level_places(height_px // stride, width_px // stride, stride) for stride in STRIDES]
    middles, strides = zip(*levels, strict=True)
    return torch.cat(middles), torch.cat(strides)


def _level_places(rows: int, columns: int, stride: int) -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2) * stride, torch.full((rows * columns,), float(stride))


def _coordinates(planes: Tensor) -> Tensor:
    """x and y from the middle, in units of the longer side: marks like corners, and borders reach from side to side."""
    rows, columns = planes.shape[2:]
    longer = max(rows, columns)
    y = (torch.arange(rows) + 0.5 - rows / 2) / longer
    x = (torch.arange(columns) + 0.5 - columns / 2) / longer
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij"))
    return grid.to(planes).expand(len(planes), -1, -1, -1)


def _conv(inputs: int, outputs: int, *, size: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.SiLU())


def _separable(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, inputs, size=5, stride=stride, groups=inputs), _conv(inputs, outputs, size=1))


class _Residual(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.inner = _conv(channels, hidden, size=1)
        self.outer = _conv(hidden, channels)

    def forward(self, level: Tensor) -> Tensor:
        return level + self.outer(self.inner(level))


class _Wide(nn.Module):
    """A separable layer beside what the whole picture says: a border is known by all of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.near = _separable(channels, channels)
        self.far = nn.Linear(channels, channels)

    def forward(self, level: Tensor) -> Tensor:
        return level + self.near(level) + self.far(level.mean((2, 3)))[:, :, None, None]
