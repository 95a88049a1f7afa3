"""The parts of the causal 3D VAE: norm, resnet, resampling, frame-causal attention.   Paper 4.1."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.config import Norm

EPSILON = 1e-6  # released


class FeatureNorm(nn.GroupNorm):
    """GroupNorm with statistics over the clip, over each frame by itself, or over all channels of each cell."""

    def __init__(self, channels: int, *, num_groups: int, norm: Norm):
        super().__init__(num_groups, channels, eps=EPSILON)
        self.norm: Norm = norm

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape, normalised per group."""
        if self.norm == "cell":
            cells = rearrange(x, "b c t h w -> b t h w c")
            cells = F.layer_norm(cells, (self.num_channels,), self.weight, self.bias, self.eps)
            return rearrange(cells, "b t h w c -> b c t h w")
        if self.norm == "clip" or x.shape[2] == 1:
            return super().forward(x)
        frames = super().forward(rearrange(x, "b c t h w -> (b t) c h w"))
        return rearrange(frames, "(b t) c h w -> b c t h w", b=x.shape[0])


class Resnet(nn.Module):
    """norm, SiLU, causal convolution, twice, plus the input."""

    def __init__(self, in_channels: int, out_channels: int, *, num_groups: int, norm: Norm):
        super().__init__()
        self.norm1 = FeatureNorm(in_channels, num_groups=num_groups, norm=norm)
        self.conv1 = CausalConv3d(in_channels, out_channels)
        self.norm2 = FeatureNorm(out_channels, num_groups=num_groups, norm=norm)
        self.conv2 = CausalConv3d(out_channels, out_channels)
        is_same = in_channels == out_channels
        self.conv_shortcut = None if is_same else CausalConv3d(in_channels, out_channels, kernel=1)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h w"]:
        """(b, d, t, h, w) features."""
        hidden = self.conv1(F.silu(self.norm1(x)))
        hidden = self.conv2(F.silu(self.norm2(hidden)))
        return hidden + (x if self.conv_shortcut is None else self.conv_shortcut(x))


class Downsample(nn.Module):
    """Strided causal convolution."""

    def __init__(self, channels: int, stride: tuple[int, int, int]):
        super().__init__()
        self.conv = CausalConv3d(channels, channels, stride=stride)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c u y x"]:
        """1+2n frames become 1+n where the time stride is 2."""
        return self.conv(x)


class Upsample(nn.Module):
    """Nearest-neighbour enlargement, then a causal convolution; the first frame never grows in time."""

    def __init__(self, channels: int, factor: tuple[int, int, int]):
        super().__init__()
        self.factor = tuple(float(side) for side in factor)
        self.conv = CausalConv3d(channels, channels)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c u y x"]:
        """1+n frames become 1+2n where the time factor is 2."""
        first = F.interpolate(x[:, :, :1], scale_factor=(1.0, *self.factor[1:]), mode="nearest")
        if x.shape[2] == 1:
            return self.conv(first)
        return self.conv(torch.cat([first, F.interpolate(x[:, :, 1:], scale_factor=self.factor, mode="nearest")], 2))


class FrameCausalAttention(nn.Module):
    """Single-head attention over all positions of a token's own and earlier frames, plus the input."""

    def __init__(self, channels: int, *, num_groups: int, norm: Norm):
        super().__init__()
        self.group_norm = FeatureNorm(channels, num_groups=num_groups, norm=norm)
        self.to_q = nn.Linear(channels, channels)
        self.to_k = nn.Linear(channels, channels)
        self.to_v = nn.Linear(channels, channels)
        self.to_out = nn.ModuleList([nn.Linear(channels, channels)])

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape; peak extra memory is one frame's attention over the clip."""
        t, h, w = x.shape[2:]
        tokens = rearrange(self.group_norm(x), "b c t h w -> b 1 (t h w) c")
        mixed = self.to_out[0](attend_by_frame(self.to_q(tokens), self.to_k(tokens), self.to_v(tokens), num_frames=t))
        return x + rearrange(mixed, "b 1 (t h w) c -> b c t h w", t=t, h=h, w=w)


class DownBlock(nn.Module):
    """Resnets, then an optional reduction."""

    def __init__(self, resnets: list[Resnet], sampler: Downsample | None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.downsamplers = None if sampler is None else nn.ModuleList([sampler])

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """Features at the block's output size."""
        for layer in (*self.resnets, *(self.downsamplers or ())):
            x = layer(x)
        return x


class UpBlock(nn.Module):
    """Resnets, then an optional enlargement."""

    def __init__(self, resnets: list[Resnet], sampler: Upsample | None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.upsamplers = None if sampler is None else nn.ModuleList([sampler])

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d u y x"]:
        """Features at the block's output size."""
        for layer in (*self.resnets, *(self.upsamplers or ())):
            x = layer(x)
        return x


class MidBlock(nn.Module):
    """Resnet, frame-causal attention where configured, resnet."""

    def __init__(self, channels: int, *, num_groups: int, norm: Norm, has_attention: bool):
        super().__init__()
        style = {"num_groups": num_groups, "norm": norm}
        self.resnets = nn.ModuleList([Resnet(channels, channels, **style), Resnet(channels, channels, **style)])
        self.attentions = nn.ModuleList([FrameCausalAttention(channels, **style)] if has_attention else [])

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b c t h w"]:
        """Same shape."""
        x = self.resnets[0](x)
        for attention in self.attentions:
            x = attention(x)
        return self.resnets[1](x)


def attend_by_frame(
    query: Float[Tensor, "b 1 n c"], key: Float[Tensor, "b 1 n c"], value: Float[Tensor, "b 1 n c"], *, num_frames: int
) -> Float[Tensor, "b 1 n c"]:
    """Attention of each frame's tokens to those of its own and earlier frames; n = num_frames equal runs.

    Computed one query frame at a time against the keys so far, so the n x n mask never exists.
    """
    size = query.shape[2] // num_frames
    frames = [
        F.scaled_dot_product_attention(
            query[:, :, i * size : (i + 1) * size], key[:, :, : (i + 1) * size], value[:, :, : (i + 1) * size]
        )
        for i in range(num_frames)
    ]
    return torch.cat(frames, dim=2)
