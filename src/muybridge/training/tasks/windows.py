"""Windows of clips where something is to be learned: most of a clip is ground that a VAE already brings back."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.shapes import SPATIAL_RATIO
from muybridge.vae.perceptual import Draws


def busy_windows(
    pixels: Float[Tensor, "b 3 f y x"], *, size_px: int, draws: Draws
) -> Float[Tensor, "b 3 f s s"]:  # fmt: skip
    """A square window of each clip, on the grid of latent cells, chosen by its own generator.

    A window's chance is proportional to its energy: squared differences of neighbouring pixels. On sprites a fifth of
    the cells hold nine tenths of what a linear codec leaves (measured, docs/log.md). Whole clips where they are no
    larger. Only a network with norms of single cells, or none, sees the same statistics in windows as in clips.
    Raises InvalidInput on a size off the grid.
    """
    if size_px < SPATIAL_RATIO or size_px % SPATIAL_RATIO:
        raise invalid(f"window_px={size_px}", f"a multiple of {SPATIAL_RATIO}", "use 64")
    rows, columns = (side // SPATIAL_RATIO - size_px // SPATIAL_RATIO + 1 for side in pixels.shape[3:])
    if rows < 1 or columns < 1 or rows == columns == 1:
        return pixels
    chances = rearrange(_energies(pixels, size_px), "b h w -> b (h w)")
    windows = []
    for clip, chance, draw in zip(pixels, chances, draws, strict=True):
        row, column = divmod(int(torch.multinomial(chance, 1, generator=draw)), columns)
        top, left = row * SPATIAL_RATIO, column * SPATIAL_RATIO
        windows.append(clip[..., top : top + size_px, left : left + size_px])
    return torch.stack(windows)


def _energies(pixels: Tensor, size_px: int) -> Float[Tensor, "b h w"]:
    """Mean squared differences in each window, on the CPU; never zero, so that flat clips have windows too."""
    grey = pixels.cpu().mean(dim=1)
    down, across = (F.pad(grey.diff(dim=dim).square(), pad) for dim, pad in ((2, (0, 0, 0, 1)), (3, (0, 1))))
    cells = F.avg_pool2d((down + across).mean(dim=1)[:, None], SPATIAL_RATIO)
    return F.avg_pool2d(cells, size_px // SPATIAL_RATIO, stride=1)[:, 0] + 1e-6
