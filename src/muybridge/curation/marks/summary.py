"""What a clip shows of its marks over time: they stay where they are while the film moves.

Over up to eight frames: the mean picture, in which what moves is blurred and what stays is sharp; the mean slope beside
its deviation, which is strong where faint strokes stay and what is under them does not (the cue of Dekel et al. 2017);
how much each pixel changes; and the weakest edge that it ever had, which only edges that never leave survive.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.media.frames import Frames

NUM_PLANES = 8  # mean red, green, blue; steady slope across, down; change; lasting edge; 1 where nothing can move
NUM_COLOURS, NUM_SIGNED = 3, 5  # of the planes, the first: those of colours, and those that are in [-0.5, 0.5]
MAX_FRAMES = 8  # that are looked at, as many as in training
GAIN = 4.0  # of change and edge before the root: most are far below 1
FAINT = 0.01  # the slope of two pixels, of [0, 1], that is half steady where nothing moves


class Summary(NamedTuple):
    """The network's input: pixels of the clip times `scale` are its pixels; padded at the right and below."""

    planes: Float[Tensor, "planes h w"]  # in [-0.5, 0.5] or [0, 1]; 0 in the padding
    scale: tuple[float, float]  # across, down


def summarise(frames: Frames, *, side_px: int, multiple: int) -> Summary:
    """The summary of uint8 RGB frames, the longer side scaled to `side_px`, sides padded to multiples of `multiple`."""
    numbers = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).round().astype(int))
    height, width = frames.shape[1:3]
    factor = side_px / max(height, width)
    size = (max(1, round(height * factor)), max(1, round(width * factor)))
    chosen = torch.from_numpy(np.ascontiguousarray(frames[numbers])).permute(0, 3, 1, 2).float()
    planes = summary_planes(F.interpolate(chosen, size, mode="bilinear", antialias=True) / 255)
    padding = [-side % multiple for side in size]
    return Summary(F.pad(planes, (0, padding[1], 0, padding[0])), (size[1] / width, size[0] / height))


def summary_planes(pixels: Float[Tensor, "t 3 h w"]) -> Float[Tensor, "planes h w"]:
    """The planes of frames in [0, 1] that have the network's size."""
    grey = pixels.mean(1)
    across = F.pad(grey, (1, 1, 0, 0), mode="replicate").diff(dim=2)
    down = F.pad(grey, (0, 0, 1, 1), mode="replicate").diff(dim=1)
    edge = torch.maximum(
        torch.maximum(across[:, :, 1:].abs(), across[:, :, :-1].abs()),
        torch.maximum(down[:, 1:].abs(), down[:, :-1].abs()),
    )
    lasting = edge.amin(0)
    is_still = torch.full_like(lasting, float(len(pixels) == 1))
    change = (grey - grey.mean(0)).square().mean(0).sqrt()
    rest = torch.stack([rooted(change), rooted(lasting), is_still])
    slopes = torch.stack([across[:, :, 1:] + across[:, :, :-1], down[:, 1:] + down[:, :-1]], dim=1)
    return torch.cat([pixels.mean(0) - 0.5, steady(slopes), rest])


def steady(slopes: Float[Tensor, "t c h w"]) -> Float[Tensor, "c h w"]:
    """The mean over time beside its deviation, in (-0.5, 0.5): near either end where a slope never leaves."""
    mean = slopes.mean(0)
    deviation = (slopes - mean).square().mean(0).sqrt()
    return 0.5 * mean / (mean.abs() + deviation + FAINT)


def rooted(values: Tensor) -> Tensor:
    """Small values spread out, in [0, 1]."""
    return (values * GAIN).clamp(max=1).sqrt()
