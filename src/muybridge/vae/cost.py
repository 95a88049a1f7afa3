"""What a VAE costs, in closed form: parameters, floating-point operations, and peak memory (`peak`). Paper 4.1."""

import math
from collections.abc import Iterator
from itertools import pairwise

from muybridge.core.counting import Layer, attention_flops, total_flops, total_parameters
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO
from muybridge.vae.config import VAEConfig
from muybridge.vae.peak import decode_bytes, encode_bytes

__all__ = [
    "convolution_flops",
    "decode_bytes",
    "decode_flops",
    "encode_bytes",
    "encode_flops",
    "latent_grid",
    "num_parameters",
]

Grid = tuple[int, int, int]  # frames, rows, columns
KERNEL_VOLUME = 27
CHUNKED = ("exact", "spill", "stream")  # modes
PATCH_PIXELS = TEMPORAL_RATIO * SPATIAL_RATIO**2


def num_parameters(config: VAEConfig) -> int:
    """Parameters of `VideoVAE(config)`, without building it."""
    smallest: Grid = (1, SPATIAL_RATIO, SPATIAL_RATIO)
    layers = [*_encoder(config, smallest), *_decoder(config, smallest)]
    mirrored = config.decoder_side()
    norms = _side_norms(config, config.block_channels, config.layers_per_block)
    norms += _side_norms(mirrored, mirrored.block_channels[::-1], mirrored.layers_per_block + 1)
    return total_parameters(layers) + norms


def encode_flops(config: VAEConfig, *, num_frames: int, height_px: int, width_px: int) -> int:
    """Operations of encoding one clip, as `torch.utils.flop_counter` counts: convolutions, products, attention."""
    grid = (num_frames, height_px, width_px)
    return total_flops(_encoder(config, grid)) + _mid_attention_flops(config, latent_grid(grid))


def decode_flops(config: VAEConfig, *, num_frames: int, height_px: int, width_px: int, mode: str = "whole") -> int:
    """Operations of decoding one clip of this many pixels; of `vae.modes`, those in chunks fold enlargements.

    What they save on a clip's first frame is not taken off. Tiles are counted as the whole.
    """
    grid = (num_frames, height_px, width_px)
    return total_flops(_decoder(config, grid, is_folded=mode in CHUNKED)) + _mid_attention_flops(
        config.decoder_side(), latent_grid(grid)
    )


def convolution_flops(config: VAEConfig, *, pixels: Grid, is_encoder: bool) -> int:
    """Those of convolutions and linear layers alone, in one direction."""
    return total_flops((_encoder if is_encoder else _decoder)(config, pixels))


def latent_grid(grid: Grid) -> Grid:
    """Latent frames, rows and columns of a grid of pixels."""
    return _reduced(grid, (TEMPORAL_RATIO, SPATIAL_RATIO, SPATIAL_RATIO))


def _encoder(config: VAEConfig, pixels: Grid) -> Iterator[Layer]:
    """Every layer between pixels and moments."""
    channels, moments = config.block_channels, 2 * config.latent_channels
    grid = _reduced(pixels, config.stem_patch)
    yield _conv(3 * math.prod(config.stem_patch), channels[0], grid)
    width = channels[0]
    for out_channels, stride in zip(channels, config.strides(), strict=True):
        yield from _resnets([width] + [out_channels] * config.layers_per_block, grid)
        if stride:
            grid = _reduced(grid, stride)
            yield _conv(out_channels, out_channels, grid)
        width = out_channels
    yield from _mid(config, grid)
    yield _conv(width, moments, grid)
    yield _conv(moments, moments, grid, volume=1)
    if config.has_linear_path:
        yield _conv(3, config.latent_channels, grid, volume=PATCH_PIXELS)


def _decoder(config: VAEConfig, pixels: Grid, *, is_folded: bool = False) -> Iterator[Layer]:
    """Every layer between latents and pixels; folded, enlargements leave two taps of three (`vae.chunked.kernels`)."""
    config = config.decoder_side()
    channels, grid = config.block_channels[::-1], latent_grid(pixels)
    yield _conv(config.latent_channels, config.latent_channels, grid, volume=1)
    if config.has_linear_path:
        yield _conv(config.latent_channels, 3 * PATCH_PIXELS, grid)
    yield _conv(config.latent_channels, channels[0], grid)
    yield from _mid(config, grid)
    width = channels[0]
    for out_channels, factor in zip(channels, config.strides(), strict=True):
        yield from _resnets([width] + [out_channels] * (config.layers_per_block + 1), grid)
        if factor:
            grid = (1 + (grid[0] - 1) * factor[0], grid[1] * factor[1], grid[2] * factor[2])
            folded = math.prod(3 if side == 1 else 2 for side in factor)
            yield _conv(out_channels, out_channels, grid, volume=folded if is_folded else KERNEL_VOLUME)
        width = out_channels
    yield _conv(width, 3 * math.prod(config.stem_patch), grid)


def _resnets(widths: list[int], grid: Grid) -> Iterator[Layer]:
    for before, after in pairwise(widths):
        yield _conv(before, after, grid)
        yield _conv(after, after, grid)
        if before != after:
            yield _conv(before, after, grid, volume=1)


def _mid(config: VAEConfig, grid: Grid) -> Iterator[Layer]:
    width = config.block_channels[-1]
    yield from _resnets([width] * 3, grid)
    if config.has_mid_attention:
        yield from (_conv(width, width, grid, volume=1) for _ in range(4))  # queries, keys, values, out


def _mid_attention_flops(config: VAEConfig, grid: Grid) -> int:
    """Each frame's cells look at those of its own and earlier frames."""
    if not config.has_mid_attention:
        return 0
    frames, cells = grid[0], grid[1] * grid[2]
    return attention_flops(cells, cells * frames * (frames + 1) // 2, width=config.block_channels[-1])


def _side_norms(config: VAEConfig, channels: tuple[int, ...], num_resnets: int) -> int:
    """Two for each channel of each norm of one side: two norms a resnet, one before attention, one before the way out.

    channels: of the blocks in their order. The way out follows the encoder's mid block and the decoder's last one.
    """
    middle, is_encoder = config.block_channels[-1], num_resnets == config.layers_per_block
    total = 4 * middle + (middle if config.has_mid_attention else 0) + (middle if is_encoder else channels[-1])
    for before, after in pairwise((channels[0], *channels)):
        total += before + after + 2 * after * (num_resnets - 1)
    return 2 * total


def _conv(num_inputs: int, num_outputs: int, grid: Grid, *, volume: int = KERNEL_VOLUME) -> Layer:
    return Layer(num_inputs=num_inputs * volume, num_outputs=num_outputs, num_rows=math.prod(grid))


def _reduced(grid: Grid, stride: Grid) -> Grid:
    """1+n frames become 1 + n/stride."""
    frames, rows, columns = grid
    return 1 + (frames - 1) // stride[0], rows // stride[1], columns // stride[2]
