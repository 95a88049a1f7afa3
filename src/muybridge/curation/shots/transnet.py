"""TransNetV2 (Souček and Lokoč, arXiv 2008.04838): a network that says of every frame whether a shot ends there.

The weights are those of the authors (MIT), fetched; module names are theirs, so that their state dict loads strictly.
"""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Float32, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from muybridge.core.errors import WeightsError
from muybridge.curation.shots.joins import Thumbnails

FILE = "transnetv2.safetensors"
WINDOW, STEP = 100, 50  # frames it was trained on, and those in the middle whose probabilities are taken (3.1)
DILATIONS = (1, 2, 4, 8)
BIN_BITS = 3  # of each channel in colour histograms


class TransNetV2(nn.Module):
    """Logits of every frame of a window: that a shot ends with it, and that it is part of a transition."""

    def __init__(self, *, width: int = 16, num_blocks: int = 3, lookup_window: int = 101) -> None:
        super().__init__()
        widths = [width * 2**block for block in range(num_blocks)]
        inputs = [3, *(4 * each for each in widths[:-1])]
        self.SDDCNN = nn.ModuleList(Block(*sizes) for sizes in zip(inputs, widths, strict=True))
        self.frame_sim_layer = FrameSimilarity(4 * sum(widths), lookup_window)
        self.color_hist_layer = ColourSimilarity(lookup_window)
        self.fc1 = nn.Linear(4 * widths[-1] * 3 * 6 + 2 * 128, 1024)
        self.cls_layer1 = nn.Linear(1024, 1)
        self.cls_layer2 = nn.Linear(1024, 1)

    def forward(self, frames: UInt8[Tensor, "b t 27 48 3"]) -> tuple[Float[Tensor, "b t"], Float[Tensor, "b t"]]:
        x = rearrange(frames, "b t h w c -> b c t h w").float() / 255
        features = []
        for block in self.SDDCNN:
            x = block(x)
            features.append(x)
        seen = rearrange(x, "b c t h w -> b t (h w c)")
        x = torch.cat([self.color_hist_layer(frames), self.frame_sim_layer(features), seen], dim=2)
        x = F.relu(self.fc1(x))
        return self.cls_layer1(x)[..., 0], self.cls_layer2(x)[..., 0]


class Block(nn.Module):
    """Two layers of dilated convolutions with a skip from the first one's output, then half the height and width."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.DDCNN = nn.ModuleList([Dilated(in_channels, width), Dilated(4 * width, width)])

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h2 w2"]:
        first = F.relu(self.DDCNN[0](x))
        return F.avg_pool3d(F.relu(self.DDCNN[1](first)) + first, (1, 2, 2))


class Dilated(nn.Module):
    """Four convolutions side by side that look 1, 2, 4 and 8 frames away."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        for dilation in DILATIONS:
            self.add_module(f"Conv3D_{dilation}", Separable(in_channels, width, dilation))
        self.bn = nn.BatchNorm3d(4 * width, eps=1e-3)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h w"]:
        return self.bn(torch.cat([self.get_submodule(f"Conv3D_{dilation}")(x) for dilation in DILATIONS], dim=1))


class Separable(nn.Module):
    """A convolution over the frame, then one over time."""

    def __init__(self, in_channels: int, width: int, dilation: int) -> None:
        super().__init__()
        over_frame = nn.Conv3d(in_channels, 2 * width, (1, 3, 3), padding=(0, 1, 1), bias=False)
        over_time = nn.Conv3d(
            2 * width, width, (3, 1, 1), dilation=(dilation, 1, 1), padding=(dilation, 0, 0), bias=False
        )
        self.layers = nn.Sequential(over_frame, over_time)

    def forward(self, x: Float[Tensor, "b c t h w"]) -> Float[Tensor, "b d t h w"]:
        return self.layers(x)


class FrameSimilarity(nn.Module):
    """How much a frame's features are like those of its neighbours."""

    def __init__(self, in_channels: int, lookup_window: int) -> None:
        super().__init__()
        self.projection = nn.Linear(in_channels, 128)
        self.fc = nn.Linear(lookup_window, 128)

    def forward(self, features: list[Tensor]) -> Float[Tensor, "b t 128"]:
        means = torch.cat([each.mean(dim=(3, 4)) for each in features], dim=1)
        return F.relu(self.fc(_neighbours(self.projection(means.transpose(1, 2)), self.fc.in_features)))


class ColourSimilarity(nn.Module):
    """How much a frame's colours are like those of its neighbours."""

    def __init__(self, lookup_window: int) -> None:
        super().__init__()
        self.fc = nn.Linear(lookup_window, 128)

    def forward(self, frames: UInt8[Tensor, "b t h w 3"]) -> Float[Tensor, "b t 128"]:
        levels = rearrange(frames, "b t h w c -> b t (h w) c").long() >> (8 - BIN_BITS)
        bins = (levels[..., 0] << 2 * BIN_BITS) + (levels[..., 1] << BIN_BITS) + levels[..., 2]
        counts = torch.zeros(*bins.shape[:2], 2 ** (3 * BIN_BITS), device=frames.device)
        counts.scatter_add_(2, bins, torch.ones_like(bins, dtype=counts.dtype))
        return F.relu(self.fc(_neighbours(counts, self.fc.in_features)))


def _neighbours(x: Float[Tensor, "b t d"], window: int) -> Float[Tensor, "b t window"]:
    """Cosines of every frame with those up to half a window before and behind it; 0 beyond the ends."""
    x = F.normalize(x, dim=2)
    cosines = F.pad(x @ x.transpose(1, 2), [window // 2, window // 2])
    times = torch.arange(x.shape[1], device=x.device)[:, None] + torch.arange(window, device=x.device)
    return cosines.gather(2, times.expand(len(x), -1, -1))


def load(folder: Path) -> TransNetV2:
    """The network of the asset "transnetv2", frozen, for inference. Raises WeightsError."""
    network = TransNetV2()
    try:
        network.load_state_dict(load_file(folder / FILE))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WeightsError(f"{folder / FILE}: not TransNetV2 ({error}); remove its folder to fetch it again.") from None
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def probabilities(network: TransNetV2, thumbnails: Thumbnails) -> Float32[np.ndarray, "t"]:
    """For every frame that a shot ends with it, in windows as the authors take them: 25 frames lie around each 50."""
    num_frames, margin = len(thumbnails), (WINDOW - STEP) // 2
    padded = np.pad(thumbnails, [(margin, margin + -num_frames % STEP), (0, 0), (0, 0), (0, 0)], mode="edge")
    parts = []
    for start in range(0, num_frames, STEP):
        ends, _ = network(torch.from_numpy(padded[None, start : start + WINDOW]))
        parts.append(ends[0, margin : margin + STEP].sigmoid().numpy())
    return np.concatenate(parts)[:num_frames]
