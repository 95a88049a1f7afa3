"""The networks of `VideoVAE` as lists of layers, in the order that a film passes them."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from torch import nn

from muybridge.vae.blocks import DownBlock, Downsample, FrameCausalAttention, MidBlock, Resnet, UpBlock, Upsample
from muybridge.vae.chunked.kernels import Sizes
from muybridge.vae.chunked.layers import Attention, Convolution, Layer, Pointwise, ToPatches, ToPixels
from muybridge.vae.model import PATCH, VideoVAE

M = TypeVar("M", bound=nn.Module)


def decoder_layers(vae: VideoVAE, chunk_bytes: int) -> list[Layer]:
    """From latents to pixels, but for the linear path."""
    decoder = vae.decoder
    return [
        Pointwise(vae.post_quant_conv, chunk_bytes=chunk_bytes),
        Convolution(decoder.conv_in, chunk_bytes=chunk_bytes),
        *_middle(decoder.mid_block, chunk_bytes),
        *_blocks(decoder.up_blocks, chunk_bytes),
        Convolution(decoder.conv_out, norm=decoder.conv_norm_out, chunk_bytes=chunk_bytes),
        ToPixels(decoder.stem_patch),
    ]


def encoder_layers(vae: VideoVAE, chunk_bytes: int) -> list[Layer]:
    """From pixels to moments, but for the linear path."""
    encoder = vae.encoder
    return [
        ToPatches(encoder.stem_patch),
        Convolution(encoder.conv_in, chunk_bytes=chunk_bytes),
        *_blocks(encoder.down_blocks, chunk_bytes),
        *_middle(encoder.mid_block, chunk_bytes),
        Convolution(encoder.conv_out, norm=encoder.conv_norm_out, chunk_bytes=chunk_bytes),
        Pointwise(vae.quant_conv, chunk_bytes=chunk_bytes),
    ]


def linear_path_layers(vae: VideoVAE, chunk_bytes: int) -> list[Layer]:
    """From latents to the linear path's share of the pixels."""
    return [Convolution(vae.linear_out, chunk_bytes=chunk_bytes), ToPixels(PATCH)]


def _middle(block: MidBlock, chunk_bytes: int) -> Iterator[Layer]:
    first, last = _of_type(block.resnets, Resnet)
    yield from _resnet(first, chunk_bytes)
    yield from (Attention(attention) for attention in _of_type(block.attentions, FrameCausalAttention))
    yield from _resnet(last, chunk_bytes)


def _blocks(blocks: nn.ModuleList, chunk_bytes: int) -> Iterator[Layer]:
    for block in blocks:
        assert isinstance(block, DownBlock | UpBlock)
        for resnet in _of_type(block.resnets, Resnet):
            yield from _resnet(resnet, chunk_bytes)
        if isinstance(block, UpBlock):
            for up in _of_type(block.upsamplers or (), Upsample):
                yield Convolution(up.conv, factor=_whole(up.factor), chunk_bytes=chunk_bytes)
        else:
            for down in _of_type(block.downsamplers or (), Downsample):
                yield Convolution(down.conv, stride=_whole(down.conv.conv.stride), chunk_bytes=chunk_bytes)


def _resnet(resnet: Resnet, chunk_bytes: int) -> Iterator[Layer]:
    yield Convolution(resnet.conv1, norm=resnet.norm1, opens=resnet, chunk_bytes=chunk_bytes)
    yield Convolution(resnet.conv2, norm=resnet.norm2, closes=True, chunk_bytes=chunk_bytes)


def _whole(sizes: tuple[float, ...]) -> Sizes:
    time, height, width = (int(size) for size in sizes)
    return time, height, width


def _of_type(modules: Iterable[nn.Module], kind: type[M]) -> Iterator[M]:
    """The modules of a list, whose type it does not tell."""
    for module in modules:
        assert isinstance(module, kind)
        yield module
