"""The parts of HunyuanVideo-1.5's VAE: channel norm, resnet, attention, and resampling by moving pixels to channels.

Each resampling has a shortcut without parameters: channels averaged in groups on the way down, repeated on the way up
(arXiv 2410.10733). A clip's first frame is resampled in space only, so that one picture is one latent frame.
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.blocks import attend_by_frame

Ratio = tuple[int, int, int]  # of frames, rows, columns


class ChannelNorm(nn.Module):
    """Divide each cell by the root mean square of its channels, then multiply by `gamma`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1, 1))

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape and dtype; the norm is taken in float32, because squares of bfloat16 lose their digits."""
        unit = F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=1).to(x.dtype)
        return unit * len(self.gamma) ** 0.5 * self.gamma


class PlainResnet(nn.Module):
    """norm, SiLU, causal convolution, twice, plus the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.conv1 = CausalConv3d(channels, channels)
        self.norm2 = ChannelNorm(channels)
        self.conv2 = CausalConv3d(channels, channels)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        return x + self.conv2(F.silu(self.norm2(hidden)))


class ConvAttention(nn.Module):
    """Single-head attention over all cells of own and earlier frames, plus the input; projections are convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.q = nn.Conv3d(channels, channels, 1)
        self.k = nn.Conv3d(channels, channels, 1)
        self.v = nn.Conv3d(channels, channels, 1)
        self.proj_out = nn.Conv3d(channels, channels, 1)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape; peak extra memory is one frame's attention over the clip."""
        t, h, w = x.shape[2:]
        normed = self.norm(x)
        query, key, value = (
            rearrange(project(normed), "b c t h w -> b 1 (t h w) c") for project in (self.q, self.k, self.v)
        )
        attended = attend_by_frame(query, key, value, num_frames=t)
        return x + self.proj_out(rearrange(attended, "b 1 (t h w) c -> b c t h w", t=t, h=h, w=w))


class Middle(nn.Module):
    """Resnet, attention, resnet."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block_1 = PlainResnet(channels)
        self.attn_1 = ConvAttention(channels)
        self.block_2 = PlainResnet(channels)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape."""
        return self.block_2(self.attn_1(self.block_1(x)))


class ShuffleDown(nn.Module):
    """A causal convolution whose output's pixels become channels, plus the input's, averaged in groups."""

    def __init__(self, in_channels: int, out_channels: int, ratio: Ratio) -> None:
        super().__init__()
        self.ratio = ratio
        self.conv = CausalConv3d(in_channels, out_channels // math.prod(ratio))

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """1 + n frames become 1 + n / ratio; the first one fills the channels of the frames that it lacks."""
        hidden, in_space = self.conv(x), (1, *self.ratio[1:])
        first = to_channels(hidden[:, :, :1], in_space).repeat(1, self.ratio[0], 1, 1, 1)
        rest = to_channels(hidden[:, :, 1:], self.ratio)
        channels = rest.shape[1]
        first = first + averaged(to_channels(x[:, :, :1], in_space), channels)
        rest = rest + averaged(to_channels(x[:, :, 1:], self.ratio), channels)
        return torch.cat([first, rest], 2)


class ShuffleUp(nn.Module):
    """A causal convolution whose channels become pixels, plus the input's channels, repeated, as pixels."""

    def __init__(self, in_channels: int, out_channels: int, ratio: Ratio) -> None:
        super().__init__()
        self.ratio = ratio
        self.conv = CausalConv3d(in_channels, out_channels * math.prod(ratio))

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """1 + n frames become 1 + n * ratio; of what the first one's channels hold, the first frame's part is kept."""
        hidden, in_space = self.conv(x), (1, *self.ratio[1:])
        rest = to_pixels(hidden[:, :, 1:], self.ratio)
        channels = rest.shape[1]
        first = to_pixels(hidden[:, :, :1], in_space)[:, :channels]
        first = first + repeated(to_pixels(x[:, :, :1], in_space), channels)
        rest = rest + repeated(to_pixels(x[:, :, 1:], self.ratio), channels)
        return torch.cat([first, rest], 2)


class DownLevel(nn.Module):
    """Resnets, then an optional reduction."""

    def __init__(self, channels: int, num_resnets: int, sampler: ShuffleDown | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(PlainResnet(channels) for _ in range(num_resnets))
        self.downsample = sampler

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """Features at the level's output size."""
        for resnet in self.block:
            x = resnet(x)
        return x if self.downsample is None else self.downsample(x)


class UpLevel(nn.Module):
    """Resnets, then an optional enlargement."""

    def __init__(self, channels: int, num_resnets: int, sampler: ShuffleUp | None) -> None:
        super().__init__()
        self.block = nn.ModuleList(PlainResnet(channels) for _ in range(num_resnets))
        self.upsample = sampler

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """Features at the level's output size."""
        for resnet in self.block:
            x = resnet(x)
        return x if self.upsample is None else self.upsample(x)


def to_channels(x: Float[Tensor, "b c f y x"], ratio: Ratio) -> Float[Tensor, "b d t h w"]:
    """Patches of `ratio` cells as channels, the place in the patch outermost."""
    rt, rh, rw = ratio
    return rearrange(x, "b c (t rt) (h rh) (w rw) -> b (rt rh rw c) t h w", rt=rt, rh=rh, rw=rw)


def to_pixels(x: Float[Tensor, "b d t h w"], ratio: Ratio) -> Float[Tensor, "b c f y x"]:
    """The inverse of `to_channels`."""
    rt, rh, rw = ratio
    return rearrange(x, "b (rt rh rw c) t h w -> b c (t rt) (h rh) (w rw)", rt=rt, rh=rh, rw=rw)


def averaged(x: Float[Tensor, "b d t h w"], channels: int) -> Float[Tensor, "b c t h w"]:
    """Fewer channels: the means of equal runs."""
    return reduce(x, "b (c run) t h w -> b c t h w", "mean", c=channels)


def repeated(x: Float[Tensor, "b c t h w"], channels: int) -> Float[Tensor, "b d t h w"]:
    """More channels: each several times in a row."""
    return x.repeat_interleave(channels // x.shape[1], dim=1)
