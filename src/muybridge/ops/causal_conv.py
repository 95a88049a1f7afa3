"""Convolution in space and time that sees no later frame."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class CausalConv3d(nn.Module):
    """3D convolution, centred in space and causal in time, with replicate padding.   Paper 4.1.

    The parameters live under `conv`, as in the released checkpoints.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: tuple[int, int, int] = (1, 1, 1)
    ):
        super().__init__()
        side = kernel // 2
        self.padding = (side, side, side, side, kernel - 1, 0)
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, stride)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """(b, d, ceil(t / stride), ...) features; frame i depends on frames <= i only."""
        if any(self.padding):
            x = F.pad(x, self.padding, mode="replicate")
        return self.conv(x)
