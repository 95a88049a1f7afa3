"""Peak memory of coding one film, in closed form, beside the weights: what the modes of `vae.modes` need.

Features are counted exactly. What kernels take for themselves no formula says: the factors for it are measured (oneDNN
on a CPU copies inputs and outputs to a layout of its own). benchmarks/vae_decode.py compares with processes.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO
from muybridge.vae.config import VAEConfig

Grid = tuple[int, int, int]  # frames, rows, columns
ONE: Grid = (1, 1, 1)
CHUNK_BYTES = 64 * 2**20  # of features in one kernel at a time: convention
WINDOW_COPIES = 3  # of what a kernel sees at a time: itself, normalised, and in the kernel's own layout
RESULT_COPIES = 2  # of what it gives: in the kernel's layout, and in ours
FIRST_TAPS = 9  # of 27: the first frame's own kernel
TILE_PX, TILE_FRAMES = 256, 65  # released
FILM_COPIES = 3  # of the pixels while tiles, or chunks, are put together


@dataclass(frozen=True, kw_only=True, slots=True)
class _Step:
    """One convolution, or attention, and the channels that wait beside for the end of their resnet."""

    inputs: int
    outputs: int
    grid: Grid
    factor: Grid = ONE
    stride: Grid = ONE
    waiting_in: int = 0
    waiting_out: int = 0
    is_attention: bool = False

    @property
    def out_grid(self) -> Grid:
        """Frames, rows and columns that it gives."""
        changes = tuple(zip(self.factor, self.stride, strict=True))
        height, width = (n * up // down for n, (up, down) in zip(self.grid[1:], changes[1:], strict=True))
        return 1 + (self.grid[0] - 1) * self.factor[0] // self.stride[0], height, width

    @property
    def before(self) -> int:
        """Values that wait for it."""
        return (self.inputs + self.waiting_in) * math.prod(self.grid)

    @property
    def after(self) -> int:
        """Values that it leaves."""
        return (self.outputs + self.waiting_out) * math.prod(self.out_grid)

    @property
    def carried(self) -> int:
        """Values that it holds from chunk to chunk: two frames or one; keys and values, one of them twice to grow."""
        if self.is_attention:
            return 3 * self.before
        num_frames = 1 if self.factor[0] > 1 or self.stride[0] > 1 else 2
        return num_frames * self.inputs * math.prod(self.grid[1:])

    def chunk(self, num_values: int) -> tuple[int, int]:
        """Values of one chunk before and after, `num_values` at a time but for one frame at least."""
        num_frames = self.num_frames(num_values)
        return self.before * num_frames // self.grid[0], self.after * num_frames // self.grid[0]

    def num_frames(self, num_values: int) -> int:
        """Frames of a chunk."""
        frame = max(self.inputs, self.outputs) * math.prod(self.grid[1:]) * math.prod(self.factor)
        return min(self.grid[0], max(1, num_values // frame))

    def window(self, num_values: int) -> int:
        """Values of the padded rows that a kernel sees at a time, bands of equal height; of attention, a frame."""
        if self.is_attention:
            return self.before // self.grid[0]
        _, height, width = self.grid
        num_frames = self.num_frames(num_values) + (2 if self.factor == self.stride == ONE else 1)
        row = self.inputs * num_frames * (width + 2)
        num_bands = math.ceil(height / max(1, num_values // row - 2))
        return row * (math.ceil(height / num_bands) + 2)

    def working(self, num_values: int) -> int:
        """Values of a kernel at work, and of the kernels whose taps were added up (`chunked.kernels`)."""
        window = self.window(num_values)
        return WINDOW_COPIES * window + RESULT_COPIES * window * self.outputs // self.inputs

    @property
    def folded(self) -> int:
        """Values of kernels that are kept beside the weights: the first frame's, and those of an enlargement."""
        if self.is_attention:
            return 0
        in_space = math.prod(3 if side == 1 else 4 for side in self.factor[1:])  # taps of all parities together
        later = 0 if self.factor == ONE else in_space * (4 if self.factor[0] == 2 else 3)
        return self.inputs * self.outputs * ((FIRST_TAPS if self.factor == ONE else in_space) + later)

    def whole(self) -> int:
        """Values while it runs on the whole film: activated, padded, copied, and twice the result."""
        frames, height, width = seen = self.grid if self.factor == ONE else self.out_grid  # enlarged before it is seen
        padded = (frames + 2) * (height + 2) * (width + 2)
        waiting = max(self.waiting_in, self.inputs if self.waiting_out else 0) * math.prod(self.grid)
        return waiting + self.inputs * (math.prod(seen) + 2 * padded) + 2 * self.outputs * math.prod(self.out_grid)


def decode_bytes(
    config: VAEConfig, *, num_frames: int, height_px: int, width_px: int, value_bytes: int, mode: str,
    chunk_bytes: int = CHUNK_BYTES,
) -> int:  # fmt: skip
    """The peak of decoding one film of this many pixels in a mode of `vae.modes`, beside the weights."""
    side = config.decoder_side()

    def steps(pixels: Grid) -> Iterator[_Step]:
        grid = _latents(pixels)
        channels = side.block_channels[::-1]
        yield _Step(inputs=side.latent_channels, outputs=channels[0], grid=grid)
        yield from _middle(side, grid)
        width = channels[0]
        for out_channels, factor in zip(channels, side.strides(), strict=True):
            yield from _resnets([width] + [out_channels] * (side.layers_per_block + 1), grid)
            width = out_channels
            if factor:
                up = _Step(inputs=width, outputs=width, grid=grid, factor=factor)
                grid = up.out_grid
                yield up
        yield _Step(inputs=width, outputs=3 * math.prod(side.stem_patch), grid=grid)

    film = (num_frames, height_px, width_px)
    return _peak(steps, film, mode, has_barriers=side.norm == "clip", value_bytes=value_bytes, chunk_bytes=chunk_bytes)


def encode_bytes(
    config: VAEConfig, *, num_frames: int, height_px: int, width_px: int, value_bytes: int, mode: str,
    chunk_bytes: int = CHUNK_BYTES,
) -> int:  # fmt: skip
    """The peak of encoding one film in a mode of `vae.modes`, beside the weights and the film."""

    def steps(pixels: Grid) -> Iterator[_Step]:
        patch = config.stem_patch
        grid = (1 + (pixels[0] - 1) // patch[0], pixels[1] // patch[1], pixels[2] // patch[2])
        width = config.block_channels[0]
        yield _Step(inputs=3 * math.prod(config.stem_patch), outputs=width, grid=grid)
        for out_channels, stride in zip(config.block_channels, config.strides(), strict=True):
            yield from _resnets([width] + [out_channels] * config.layers_per_block, grid)
            width = out_channels
            if stride:
                down = _Step(inputs=width, outputs=width, grid=grid, stride=stride)
                grid = down.out_grid
                yield down
        yield from _middle(config, grid)
        yield _Step(inputs=width, outputs=2 * config.latent_channels, grid=grid)

    film = (num_frames, height_px, width_px)
    has_barriers = config.norm == "clip"
    return _peak(steps, film, mode, has_barriers=has_barriers, value_bytes=value_bytes, chunk_bytes=chunk_bytes)


def _peak(
    steps_of: Callable[[Grid], Iterator[_Step]], film: Grid, mode: str, *, has_barriers: bool, value_bytes: int,
    chunk_bytes: int,
) -> int:  # fmt: skip
    """Bytes of the largest moment."""
    pixels = 3 * math.prod(film)
    if mode == "tiled":
        tile = (min(film[0], TILE_FRAMES), min(film[1], TILE_PX), min(film[2], TILE_PX))
        is_cut = tile != film
        return value_bytes * (max(step.whole() for step in steps_of(tile)) + (FILM_COPIES * pixels if is_cut else 0))
    steps = list(steps_of(film))
    if mode == "whole":
        return value_bytes * max(step.whole() for step in steps)
    num_values = chunk_bytes // value_bytes
    if mode == "stream" or not has_barriers:
        return value_bytes * (_streamed(steps, num_values) + 2 * pixels)
    return value_bytes * _between_barriers(steps, num_values, is_kept=mode == "exact")


def _between_barriers(steps: Sequence[_Step], num_values: int, *, is_kept: bool) -> int:
    """The largest step: a film that waits whole before it, and after it, or elsewhere; in the chunks it came in."""
    largest = came = 0
    for step in steps:
        before, after = step.chunk(num_values)
        before = max(before, came)
        film = max(step.before + after, step.after + before) if is_kept else before + after
        largest = max(largest, film + step.carried + step.folded + step.working(num_values))
        came = after
    return largest


def _streamed(steps: Sequence[_Step], num_values: int) -> int:
    """All that is carried, what enlargements have given and nobody taken, and the largest step at work."""
    chunks = [step.chunk(num_values) for step in steps]
    pending = sum(after for step, (_, after) in zip(steps, chunks, strict=True) if step.factor != ONE)
    working = max(sum(chunk) + step.working(num_values) for step, chunk in zip(steps, chunks, strict=True))
    return sum(step.carried + step.folded for step in steps) + pending + working


def _middle(config: VAEConfig, grid: Grid) -> Iterator[_Step]:
    width = config.block_channels[-1]
    yield from _resnets([width, width], grid)
    if config.has_mid_attention:
        yield _Step(inputs=width, outputs=width, grid=grid, is_attention=True)
    yield from _resnets([width, width], grid)


def _resnets(widths: Sequence[int], grid: Grid) -> Iterator[_Step]:
    for before, after in pairwise(widths):
        opened = _Step(inputs=before, outputs=after, grid=grid, waiting_out=after)
        yield opened
        yield replace(opened, inputs=after, waiting_in=after, waiting_out=0)


def _latents(pixels: Grid) -> Grid:
    frames, height, width = pixels
    return 1 + (frames - 1) // TEMPORAL_RATIO, height // SPATIAL_RATIO, width // SPATIAL_RATIO
