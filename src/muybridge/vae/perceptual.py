"""A distance between features of a frozen network, for training only."""

from collections.abc import Sequence
from typing import Protocol

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.vae.efficientnet import EfficientNetFeatures

GRID_PX = 16  # the trunk's largest stride: shifts below it reach every phase of its sampling grid
DITHER = 0.05  # measured on 64 px sprites: noise of std 0.02 costs what blur of 0.6 px costs; 5 times that without
EPSILON = 1e-8  # keeps the unit vector of an all-zero feature finite; measured squared lengths are 400 to 3,000


Draws = Sequence[torch.Generator]  # one for each clip, so that a clip's randomness is its own in any batch


class FeatureDistance(Protocol):
    """Distance of two clips in the features of some frozen network; LPIPS where its weights are at hand."""

    def __call__(
        self, decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"], draws: Draws
    ) -> Float[Tensor, ""]:
        """A scalar, the mean over clips; a clip's generator chooses the frames that are compared."""
        ...


class PerceptualDistance:
    """Squared distance of unit-length features of some frames, averaged over positions, summed over depths.

    In the manner of LPIPS (arXiv 1801.03924), but every channel weighs the same and the trunk is another one, so its
    numbers are not LPIPS and are never to be called so. Both clips are shifted alike, at random, so that the trunk's
    strides imprint no grid on the gradient, and get the same faint noise of std `dither`, without which invisible noise
    on a flat ground would cost more than visible blur (after E-LPIPS, arXiv 1906.03973).
    """

    def __init__(self, features: EfficientNetFeatures, num_frames: int = 2, *, dither: float = DITHER):
        if num_frames < 1:
            raise invalid(f"num_frames={num_frames}", "at least one frame is compared", "use 1 or 2")
        if not dither >= 0:
            raise invalid(f"dither={dither}", "a standard deviation is at least 0", f"use {DITHER}")
        self.features = features
        self.num_frames = num_frames
        self.dither = dither

    def __call__(
        self, decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"], draws: Draws
    ) -> Float[Tensor, ""]:
        """A float32 scalar >= 0 of pixels in [-1, 1]; frames, shift and noise of a clip come from its own generator.

        The gradient reaches `decoded` only. The trunk runs in float32 even under autocast: on a CPU bfloat16 was slower
        (50 against 37 ms for 8 frames of 64 px, forward and backward, one thread) and rounds small differences away.
        """
        frames = pick_frames(pixels.shape[2], self.num_frames, draws=draws)
        shifts = [tuple(torch.randint(GRID_PX, (2,), generator=draw).tolist()) for draw in draws]
        shape = (frames.shape[1], pixels.shape[1], *pixels.shape[3:])
        noise = torch.stack([torch.randn(shape, generator=draw) for draw in draws]) * self.dither
        features = self.features.to(pixels.device)

        def feature_maps(clips: Tensor) -> list[Tensor]:
            taken = rearrange(take_frames(clips, frames), "(b k) c y x -> b k c y x", b=len(clips)).float()
            pictures = zip(taken + noise.to(clips.device), shifts, strict=True)
            return features(torch.cat([picture.roll(shift, dims=(2, 3)) for picture, shift in pictures]))

        with torch.autocast(pixels.device.type, enabled=False):
            with torch.no_grad():
                wanted = feature_maps(pixels)
            return torch.stack([_distance(a, b) for a, b in zip(feature_maps(decoded), wanted, strict=True)]).sum()


def pick_frames(total: int, num_frames: int, *, draws: Draws) -> Int[Tensor, "b k"]:
    """Up to `num_frames` distinct frame numbers below `total` for each generator, each set equally likely."""
    return torch.stack([torch.rand(total, generator=draw).argsort()[:num_frames] for draw in draws])


def take_frames(clips: Float[Tensor, "b c f y x"], frames: Int[Tensor, "b k"]) -> Float[Tensor, "n c y x"]:
    """The chosen frames of every clip as pictures, n = b * k."""
    rows = torch.arange(len(clips), device=clips.device)[:, None]
    return rearrange(clips[rows, :, frames.to(clips.device)], "b k c y x -> (b k) c y x")


def _distance(given: Float[Tensor, "n c h w"], wanted: Float[Tensor, "n c h w"]) -> Float[Tensor, ""]:
    """Mean over positions of the squared distance of unit vectors, in [0, 4]."""
    return (_unit(given) - _unit(wanted)).square().sum(dim=1).mean()


def _unit(features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return features * torch.rsqrt(features.square().sum(dim=1, keepdim=True) + EPSILON)
