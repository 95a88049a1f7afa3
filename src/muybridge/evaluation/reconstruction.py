"""How like its original a decoded clip is: PSNR, SSIM, and the share of fine detail that is left."""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

PEAK = 2.0  # of pixels in [-1, 1]
WINDOW, WINDOW_SIGMA = 11, 1.5  # of SSIM, in pixels; Wang et al. 2004, section III.B
STABILISERS = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2  # there too


def psnr(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b"]:
    """Peak signal-to-noise ratio of each clip in dB; pixels in [-1, 1], so the peak is 2."""
    return 10 * torch.log10(PEAK**2 / (decoded.float() - pixels).square().mean(dim=(1, 2, 3, 4)))


def ssim(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b"]:
    """Structural similarity of each clip: frame by frame and channel by channel, then averaged; 1 for equal clips.

    Gaussian windows of 11 px that lie inside the frame, so sides are at least 11.   Wang et al. 2004.
    """
    a, b = (rearrange(clips.float(), "b c t h w -> (b t c) 1 h w") for clips in (decoded, pixels))
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a, variance_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    first, second = STABILISERS
    likeness = (2 * mean_a * mean_b + first) / (mean_a**2 + mean_b**2 + first)
    contrast = (2 * covariance + second) / (variance_a + variance_b + second)
    return rearrange(likeness * contrast, "(b r) 1 h w -> b (r h w)", b=len(pixels)).mean(dim=1)


def detail_ratio(decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"]) -> Float[Tensor, "b"]:
    """Energy of what an 11 px window does not explain, decoded over original: below 1 is blur, above it invention."""

    def energy(clips: Tensor) -> Tensor:
        pictures = rearrange(clips.float(), "b c t h w -> (b t c) 1 h w")
        side = WINDOW // 2
        fine = pictures[..., side:-side, side:-side] - _blurred(pictures)
        return rearrange(fine, "(b r) 1 h w -> b (r h w)", b=len(clips)).square().mean(dim=1)

    return energy(decoded) / energy(pixels)


def _blurred(pictures: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 y x"]:
    """Weighted means over the windows inside each picture."""
    offsets = torch.arange(WINDOW, device=pictures.device, dtype=pictures.dtype) - WINDOW // 2
    taps = torch.exp(-(offsets**2) / (2 * WINDOW_SIGMA**2))
    taps = taps / taps.sum()
    return F.conv2d(F.conv2d(pictures, taps.view(1, 1, 1, -1)), taps.view(1, 1, -1, 1))
