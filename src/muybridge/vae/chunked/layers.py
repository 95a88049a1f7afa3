"""The layers of a VAE as functions from chunks to chunks: one step of a network's list each.

A layer whose norm takes statistics over the whole clip says so (`watches`) and is given them; any other layer works on
what it is given, and carries what it looks back on.
"""

import math
from collections.abc import Iterator
from itertools import chain, islice
from typing import Protocol

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from muybridge.ops.causal_conv import CausalConv3d
from muybridge.vae.blocks import FeatureNorm, FrameCausalAttention, Resnet
from muybridge.vae.chunked.chunks import Chunk, divided, in_multiples
from muybridge.vae.chunked.kernels import ONE, Activation, ChunkedConv, Sizes
from muybridge.vae.chunked.moments import Moments
from muybridge.vae.stem import Patch, patches_to_pixels, pixels_to_patches, space_to_depth


class Layer(Protocol):
    """A step of a network: chunks in, chunks out, each chunk's result as soon as it is there."""

    @property
    def watches(self) -> FeatureNorm | None:
        """The norm that needs statistics of the whole clip's input first."""
        ...

    @property
    def num_weights(self) -> int:
        """Weights that each cell of its output meets."""
        ...

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """`moments` where the layer watches, of its input."""
        ...


class Convolution:
    """Norm and SiLU where there is a norm, then a causal convolution; one half of a resnet, if `resnet` is given.

    Its first half sets the resnet's input, or the shortcut's output, aside; its second half adds that.
    """

    def __init__(
        self, conv: CausalConv3d, *, norm: nn.Module | None = None, factor: Sizes = ONE, stride: Sizes = ONE,
        opens: Resnet | None = None, closes: bool = False, chunk_bytes: int,
    ) -> None:  # fmt: skip
        self.conv, self.norm, self.factor, self.stride = conv, norm, factor, stride
        self.opens, self.closes, self.chunk_bytes = opens, closes, chunk_bytes
        self.watches = _of_the_clip(norm)
        shortcut = None if opens is None else opens.conv_shortcut
        self.num_weights = conv.conv.weight.numel() + (0 if shortcut is None else shortcut.conv.weight.numel())

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """Convolved chunks, small ones where the result is large."""
        conv = ChunkedConv(self.conv, factor=self.factor, stride=self.stride, band_bytes=self.chunk_bytes)

        def step(chunk: Chunk) -> Chunk:
            out = conv(chunk.main, activation(self.norm, moments, chunk.main))
            if self.closes:
                assert chunk.skip is not None
                return Chunk(main=out.add_(chunk.skip))
            return Chunk(main=out, skip=None if self.opens is None else self._aside(chunk.main))

        if self.stride[0] > 1:
            chunks = in_multiples(chunks, self.stride[0])
        return map(step, divided(chunks, self._num_frames))

    def _num_frames(self, chunk: Chunk) -> int:
        """Frames at a time that stay within the budget, in and out; whole strides."""
        channels = max(self.conv.conv.in_channels, self.conv.conv.out_channels)
        frame_bytes = channels * chunk.main[0, 0, 0].numel() * chunk.main.element_size() * math.prod(self.factor)
        return max(1, self.chunk_bytes // frame_bytes // self.stride[0]) * self.stride[0]

    def _aside(self, x: Tensor) -> Tensor:
        """What the resnet adds at its end."""
        assert self.opens is not None
        shortcut = self.opens.conv_shortcut
        return x if shortcut is None else pointwise(shortcut.conv, x, self.chunk_bytes)


class Pointwise:
    """A convolution of single cells."""

    watches = None

    def __init__(self, conv: nn.Conv3d, *, chunk_bytes: int) -> None:
        self.conv, self.chunk_bytes = conv, chunk_bytes
        self.num_weights = conv.weight.numel()

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """Each chunk by itself."""
        return map(lambda chunk: Chunk(main=pointwise(self.conv, chunk.main, self.chunk_bytes)), chunks)


class Attention:
    """Frame-causal attention; keys and values of all frames so far are carried."""

    def __init__(self, attention: FrameCausalAttention) -> None:
        self.attention = attention
        self.watches = _of_the_clip(attention.group_norm)
        self.num_weights = 4 * attention.to_q.weight.numel()

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """Frame by frame."""
        layer = self.attention
        keys = values = layer.to_q.weight.new_empty(1, 1, 0, layer.to_q.in_features)

        def step(chunk: Chunk) -> Chunk:
            nonlocal keys, values
            tokens = rearrange(normalised(layer.group_norm, moments, chunk.main), "1 c 1 h w -> 1 1 (h w) c")
            keys = torch.cat([keys, layer.to_k(tokens)], dim=2)
            values = torch.cat([values, layer.to_v(tokens)], dim=2)
            mixed = layer.to_out[0](F.scaled_dot_product_attention(layer.to_q(tokens), keys, values))
            return Chunk(main=chunk.main + rearrange(mixed, "1 1 (h w) c -> 1 c 1 h w", h=chunk.main.shape[3]))

        return map(step, divided(chunks, lambda chunk: 1))


class ToPixels:
    """Channels back to patches of pixels; the first patch keeps only its last frame."""

    watches = None
    num_weights = 0

    def __init__(self, patch: Patch) -> None:
        self.patch = patch

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """Each chunk by itself."""
        first = (Chunk(main=patches_to_pixels(chunk.main, self.patch)[:, :, -1:]) for chunk in islice(chunks, 1))
        return chain(first, map(lambda chunk: Chunk(main=patches_to_pixels(chunk.main, self.patch)), chunks))


class ToPatches:
    """Patches of pixels as channels; the first frame fills its patch alone."""

    watches = None
    num_weights = 0

    def __init__(self, patch: Patch) -> None:
        self.patch = patch

    def __call__(self, chunks: Iterator[Chunk], moments: Moments | None) -> Iterator[Chunk]:
        """Each chunk by itself; chunks are of whole patches."""
        first = (space_to_depth(chunk.main, self.patch) for chunk in islice(chunks, 1))
        rest = (pixels_to_patches(chunk.main, self.patch) for chunk in chunks)
        return (Chunk(main=main) for main in chain(first, rest))


def activation(norm: nn.Module | None, moments: Moments | None, x: Tensor) -> Activation:
    """Norm and SiLU of some rows of `x`, with the norm's statistics of the clip, of each frame, or of each cell."""
    if norm is None:
        return lambda x, rows: x[:, :, :, rows]
    if not isinstance(norm, FeatureNorm) or norm.norm == "cell":
        return lambda x, rows: F.silu(norm(x[:, :, :, rows]))
    found = moments or Moments.of(x, norm.num_groups, is_by_frame=True)
    scale, shift = found.affine(norm)
    return lambda x, rows: F.silu((x[:, :, :, rows] * scale).add_(shift), inplace=True)


def normalised(norm: FeatureNorm, moments: Moments | None, x: Tensor) -> Tensor:
    """The norm of a chunk, with statistics of the clip where they are given."""
    if moments is None:
        return norm(x)
    scale, shift = moments.affine(norm)
    return (x * scale).add_(shift).to(x.dtype)


def pointwise(conv: nn.Conv3d, x: Tensor, band_bytes: int) -> Tensor:
    """The convolution of single cells, some rows at a time, because kernels copy what they are given."""
    out = x.new_empty(len(x), conv.out_channels, *x.shape[2:])
    size = max(1, band_bytes // (x[:, :, :, 0].numel() * x.element_size()))
    for start in range(0, x.shape[3], size):
        out[:, :, :, start : start + size] = conv(x[:, :, :, start : start + size])
    return out


def _of_the_clip(norm: nn.Module | None) -> FeatureNorm | None:
    return norm if isinstance(norm, FeatureNorm) and norm.norm == "clip" else None
