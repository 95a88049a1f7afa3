"""The released tiling: overlapping tiles in space and time, blended one after the other.   Paper 4.1.

The result differs from the untiled one (each tile restarts its padding and its norm statistics), and it is part of the
released model's reference output, so it is kept to the letter.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO, TEMPORAL_RATIO
from muybridge.vae.config import VAEConfig
from muybridge.vae.latents import Gaussian
from muybridge.vae.model import VideoVAE, check_pixels

Coder = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiling:
    """Tile size in pixels and frames, and the share of a tile that overlaps the next; defaults as released."""

    sample_px: int = 256
    sample_frames: int = 64
    overlap: float = 0.25

    def __post_init__(self) -> None:
        if self.sample_px < SPATIAL_RATIO or self.sample_px % SPATIAL_RATIO:
            raise invalid(f"sample_px={self.sample_px}", f"a multiple of {SPATIAL_RATIO}", "use 256")
        if self.sample_frames < TEMPORAL_RATIO or self.sample_frames % TEMPORAL_RATIO:
            raise invalid(f"sample_frames={self.sample_frames}", f"a multiple of {TEMPORAL_RATIO}", "use 64")
        if not 0.0 <= self.overlap < 1.0:
            raise invalid(f"overlap={self.overlap}", "a share in [0, 1)", "use 0.25")
        for name, size in (("px", self.latent_px), ("frames", self.latent_frames)):
            if not math.isclose(size * self.overlap, round(size * self.overlap)):
                raise invalid(
                    f"overlap={self.overlap}", f"a tile of {size} latent {name} overlaps by whole latents",
                    f"use a multiple of 1/{size}",
                )  # fmt: skip

    @property
    def latent_px(self) -> int:
        """Tile side in latent cells."""
        return self.sample_px // SPATIAL_RATIO

    @property
    def latent_frames(self) -> int:
        """Tile length in latent frames, the extra first one not counted."""
        return self.sample_frames // TEMPORAL_RATIO


DIFFUSERS_TILING = Tiling(sample_frames=16)  # the default of its enable_tiling; its tiles meet and blend as ours do


def released_tiling(config: VAEConfig) -> Tiling | None:
    """How a VAE of this config codes films: the released one by tiles, part of its reference result; others whole."""
    return Tiling() if config.norm == "clip" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axis:
    """How one axis is cut: input tiles of `size` every `stride`; outputs blend over `blend` and keep `keep`."""

    size: int
    stride: int
    blend: int
    keep: int


def encode_tiled(vae: VideoVAE, pixels: Float[Tensor, "b 3 f y x"], tiling: Tiling | None = None) -> Gaussian:
    """As `vae.encode`, by tiles; what fits one tile is encoded whole. Moments, not samples, are blended."""
    check_pixels(pixels)  # before the tiles, whose sizes would mean nothing in a message
    tiling = tiling or Tiling()
    space = _axis(tiling.sample_px, tiling.latent_px, tiling.overlap)
    time = _axis(tiling.sample_frames, tiling.latent_frames, tiling.overlap)
    return Gaussian.from_moments(_through_tiles(vae.moments, pixels, space, time))


def decode_tiled(
    vae: VideoVAE, latents: Float[Tensor, "b c t h w"], tiling: Tiling | None = None
) -> Float[Tensor, "b 3 f y x"]:
    """As `vae.decode`, by tiles; what fits one tile is decoded whole."""
    tiling = tiling or Tiling()
    space = _axis(tiling.latent_px, tiling.sample_px, tiling.overlap)
    time = _axis(tiling.latent_frames, tiling.sample_frames, tiling.overlap)
    return _through_tiles(vae.decode, latents, space, time)


def _axis(size_in: int, size_out: int, overlap: float) -> _Axis:
    shared, blend = round(size_in * overlap), round(size_out * overlap)
    return _Axis(size=size_in, stride=size_in - shared, blend=blend, keep=size_out - blend)


def _through_tiles(code: Coder, x: Tensor, space: _Axis, time: _Axis) -> Tensor:
    """Time first, then space within each temporal tile, as released."""

    def spatially(tile: Tensor) -> Tensor:
        is_large = max(tile.shape[-2:]) > space.size
        return _spatial(code, tile, space) if is_large else code(tile)

    return _temporal(spatially, x, time) if x.shape[2] > time.size else spatially(x)


def _temporal(code: Coder, x: Tensor, axis: _Axis) -> Tensor:
    """Tiles of size+1 frames; all but the first drop their first output, which only primes the causal convolutions."""
    rows = []
    for start in range(0, x.shape[2], axis.stride):
        tile = code(x[:, :, start : start + axis.size + 1])
        rows.append(tile if start == 0 else tile[:, :, 1:])
    kept = []
    for index, tile in enumerate(rows):
        if index:
            tile = _blend(rows[index - 1], tile, axis.blend, dim=2)
        kept.append(tile[:, :, : axis.keep + (index == 0)])
        rows[index] = tile
    return torch.cat(kept, dim=2)


def _spatial(code: Coder, x: Tensor, axis: _Axis) -> Tensor:
    """Rows of tiles, each blended with the tile above and then with the tile to the left, both already blended."""
    grid = [
        [
            code(x[..., top : top + axis.size, left : left + axis.size])
            for left in range(0, x.shape[-1], axis.stride)
        ]
        for top in range(0, x.shape[-2], axis.stride)
    ]  # fmt: skip
    rows = []
    for i, row in enumerate(grid):
        for j, tile in enumerate(row):
            if i:
                tile = _blend(grid[i - 1][j], tile, axis.blend, dim=-2)
            if j:
                tile = _blend(row[j - 1], tile, axis.blend, dim=-1)
            row[j] = tile
        rows.append(torch.cat([tile[..., : axis.keep, : axis.keep] for tile in row], dim=-1))
    return torch.cat(rows, dim=-2)


def _blend(before: Tensor, after: Tensor, extent: int, *, dim: int) -> Tensor:
    """`after`, its first `extent` places along `dim` a linear ramp from the last places of `before`."""
    extent = min(before.shape[dim], after.shape[dim], extent)
    if extent == 0:
        return after
    shape = [1] * after.ndim
    shape[dim] = extent
    ramp = (torch.arange(extent, device=after.device, dtype=after.dtype) / extent).view(shape)
    old = before.narrow(dim, before.shape[dim] - extent, extent)
    mixed = old * (1 - ramp) + after.narrow(dim, 0, extent) * ramp
    return torch.cat([mixed, after.narrow(dim, extent, after.shape[dim] - extent)], dim=dim)
