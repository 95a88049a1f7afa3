"""What happens to clips on their way through other hands, on a batch at once: so that copies get equal vectors."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

SMALLEST_CROP, LARGEST_BORDER = 0.75, 0.25  # of a side that stays, of a side that is added
SHORTEST = 0.6  # of the clip's length


def lightly_worn(
    clips: UInt8[Tensor, "b t h w 3"], *, num_frames: int, draw: torch.Generator
) -> Float[Tensor, "b 3 f h w"]:
    """Other frames of it, a little of the edge gone, a little brighter or darker: what a caption still describes."""
    pixels = _chosen(clips, num_frames, 0.85, draw)
    pixels = _framed(pixels, _between(0.88, 1.0, (len(clips), 2), draw), torch.zeros(len(clips)), draw)
    return _shaded(pixels, 0.1, draw)


def copied(clips: UInt8[Tensor, "b t h w 3"], *, num_frames: int, draw: torch.Generator) -> Float[Tensor, "b 3 f h w"]:
    """Copies: other frames, cropped or bordered, half of them mirrored, other colours, lettering, compression."""
    batch = len(clips)
    pixels = _chosen(clips, num_frames, SHORTEST, draw)
    scale = _between(SMALLEST_CROP, 1.0, (batch, 2), draw)
    is_bordered = (torch.rand(batch, generator=draw) < 0.2)[:, None]
    scale = torch.where(is_bordered, _between(1.0, 1 + LARGEST_BORDER, (batch, 2), draw), scale)
    pixels = _framed(pixels, scale, (torch.rand(batch, generator=draw) < 0.5).float(), draw)
    pixels = _shaded(pixels, 0.3, draw)
    return _compressed(_lettered(pixels, draw), draw).clamp(-1, 1)


def _between(low: float, high: float, shape: tuple[int, ...], draw: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=draw)


def _chosen(
    clips: UInt8[Tensor, "b t h w 3"], num_frames: int, shortest: float, draw: torch.Generator
) -> Float[Tensor, "b 3 f h w"]:
    """Frames evenly spread over a stretch of at least this share, and in [-1, 1]."""
    batch, last = len(clips), clips.shape[1] - 1
    length = _between(shortest, 1.0, (batch, 1), draw) * last
    start = torch.rand(batch, 1, generator=draw) * (last - length)
    numbers = (start + length * torch.linspace(0, 1, num_frames)).round().long()
    frames = clips[torch.arange(batch)[:, None], numbers]
    return rearrange(frames, "b t h w c -> b c t h w").float() / 127.5 - 1


def _framed(
    pixels: Float[Tensor, "b 3 t h w"],
    scale: Float[Tensor, "b 2"],
    is_mirrored: Float[Tensor, " b"],
    draw: torch.Generator,
) -> Float[Tensor, "b 3 t h w"]:
    """The part of `scale` of the sides, anywhere; beyond 1 the frame gets black borders."""
    batch, _, count, height, width = pixels.shape
    middle = _between(-1.0, 1.0, (batch, 2), draw) * (1 - scale).abs()
    sign = torch.stack([1 - 2 * is_mirrored, torch.ones(batch)], 1)
    theta = torch.zeros(batch, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = (scale * sign).T
    theta[:, :, 2] = middle
    grid = F.affine_grid(theta, [batch, 3, height, width], align_corners=False)
    flat = rearrange(pixels + 1, "b c t h w -> b (c t) h w")  # beyond the frame lies 0, black
    cut = F.grid_sample(flat, grid, align_corners=False, padding_mode="zeros")
    return rearrange(cut, "b (c t) h w -> b c t h w", t=count) - 1


def _shaded(pixels: Float[Tensor, "b 3 t h w"], strength: float, draw: torch.Generator) -> Float[Tensor, "b 3 t h w"]:
    """Another contrast, brightness, saturation and tint."""
    batch, wide = len(pixels), (1, 1, 1)
    contrast = torch.exp(strength * torch.randn(batch, 1, *wide, generator=draw))
    brightness = 0.5 * strength * torch.randn(batch, 3, *wide, generator=draw)
    grey = pixels.mean(1, keepdim=True)
    saturation = torch.exp(1.5 * strength * torch.randn(batch, 1, *wide, generator=draw))
    return (grey + saturation * (pixels - grey)) * contrast + brightness


def _lettered(pixels: Float[Tensor, "b 3 t h w"], draw: torch.Generator) -> Float[Tensor, "b 3 t h w"]:
    """A patch of noisy stripes over a third of the clips: a logo in a corner or a line along an edge."""
    batch, height, width = len(pixels), pixels.shape[3], pixels.shape[4]
    size = torch.stack([_between(0.08, 0.2, (batch,), draw), _between(0.15, 0.9, (batch,), draw)], 1)
    corner = torch.rand(batch, 2, generator=draw) * (1 - size)
    rows = torch.arange(height).add(0.5).div(height)[None] - corner[:, :1]
    columns = torch.arange(width).add(0.5).div(width)[None] - corner[:, 1:]
    inside = ((rows > 0) & (rows < size[:, :1]))[:, :, None] & ((columns > 0) & (columns < size[:, 1:]))[:, None]
    inside &= (torch.rand(batch, generator=draw) < 1 / 3)[:, None, None]
    stripes = torch.randn(batch, 3, 1, height, width, generator=draw).sign()
    return torch.where(inside[:, None, None], stripes, pixels)


def _compressed(pixels: Float[Tensor, "b 3 t h w"], draw: torch.Generator) -> Float[Tensor, "b 3 t h w"]:
    """Half the detail for some of them, and noise for all."""
    small = F.avg_pool3d(pixels, (1, 2, 2))
    blurred = F.interpolate(small, scale_factor=(1, 2, 2), mode="nearest")
    is_blurred = (torch.rand(len(pixels), generator=draw) < 0.4)[:, None, None, None, None]
    amount = 0.05 * torch.rand(len(pixels), 1, 1, 1, 1, generator=draw) * math.sqrt(2)
    return torch.where(is_blurred, blurred, pixels) + amount * torch.randn(pixels.shape, generator=draw)
