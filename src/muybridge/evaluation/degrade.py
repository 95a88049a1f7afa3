"""What codecs and imperfect networks do to clips, done on purpose, so that probes judge shapes and not sharpness."""

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

MAX_BLUR_PX = 1.6  # standard deviation at 64 px: a third of a sprite's eye
BLOCK_PX = 4  # a latent cell of a 128 px film seen at 64 px
UNTOUCHED = 0.25  # of the clips, so that clean ones stay known


def degraded(pixels: Float[Tensor, "b 3 t y x"], *, generator: torch.Generator) -> Float[Tensor, "b 3 t y x"]:
    """The clips, each worsened by random amounts of blur, block edges, noise, flicker, fading and blended frames.

    A quarter of the clips stay as they are. Values stay in [-1, 1].
    """
    batch = len(pixels)
    amount = torch.rand(6, batch, 1, 1, 1, 1, generator=generator)
    with torch.autocast(pixels.device.type, enabled=False):  # eight bits would add bands of their own
        worse = _blurred(pixels, MAX_BLUR_PX * amount[0].flatten() ** 2)
    worse = torch.lerp(worse, _blocks(worse), 0.7 * amount[1] ** 2)
    worse = torch.lerp(worse, _neighbours(worse), 0.6 * amount[2] ** 2)
    contrast = 1 + 0.25 * (2 * amount[3] - 1)
    flicker = 0.06 * amount[4] * torch.randn(batch, 3, pixels.shape[2], 1, 1, generator=generator)
    cells = torch.randn(_cells(pixels.shape), generator=generator)
    speckle = repeat(cells, "b c t y x -> b c t (y m) (x n)", m=BLOCK_PX, n=BLOCK_PX)
    noise = torch.randn(pixels.shape, generator=generator) + 0.7 * speckle
    worse = (worse * contrast + flicker + 0.12 * amount[5] ** 2 * noise).clamp(-1, 1)
    is_kept = torch.rand(batch, 1, 1, 1, 1, generator=generator) < UNTOUCHED
    return torch.where(is_kept, pixels, worse)


def _cells(shape: torch.Size) -> tuple[int, int, int, int, int]:
    batch, channels, frames, height, width = shape
    return batch, channels, frames, height // BLOCK_PX, width // BLOCK_PX


def _blurred(pixels: Float[Tensor, "b 3 t y x"], sigma_px: Float[Tensor, " b"]) -> Float[Tensor, "b 3 t y x"]:
    """Each clip under a Gaussian of its own width, rows then columns."""
    batch = len(pixels)
    offsets = torch.arange(-4, 5, dtype=torch.float32)
    kernels = torch.exp(-0.5 * (offsets / sigma_px.clamp(min=1e-3)[:, None]) ** 2)
    kernels = (kernels / kernels.sum(1, keepdim=True))[:, None]
    along = rearrange(pixels, "b c t y x -> (c t y) b x")
    along = F.conv1d(F.pad(along, (4, 4), mode="replicate"), kernels, groups=batch)
    across = rearrange(along, "(c t y) b x -> (c t x) b y", c=3, t=pixels.shape[2])
    across = F.conv1d(F.pad(across, (4, 4), mode="replicate"), kernels, groups=batch)
    return rearrange(across, "(c t x) b y -> b c t y x", c=3, t=pixels.shape[2])


def _blocks(pixels: Float[Tensor, "b 3 t y x"]) -> Float[Tensor, "b 3 t y x"]:
    """Cells of one colour each."""
    means = F.avg_pool3d(pixels, (1, BLOCK_PX, BLOCK_PX))
    return repeat(means, "b c t y x -> b c t (y m) (x n)", m=BLOCK_PX, n=BLOCK_PX)


def _neighbours(pixels: Float[Tensor, "b 3 t y x"]) -> Float[Tensor, "b 3 t y x"]:
    """Each frame as the mean of those beside it."""
    padded = torch.cat([pixels[:, :, :1], pixels, pixels[:, :, -1:]], 2)
    return (padded[:, :, :-2] + padded[:, :, 2:]) / 2
