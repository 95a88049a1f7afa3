"""LPIPS itself, for those who have its trunk: VGG16 features under the published linear heads.   arXiv 1801.03924.

The trunk is torchvision's VGG16 trained on ImageNet (vgg16-397923af.pth, or its state dict as .safetensors); the heads
are the small file of the `lpips` package, version 0.1.
"""

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import MissingExtra, WeightsError
from muybridge.vae.perceptual import Draws, pick_frames, take_frames
from muybridge.vae.trunk_files import read_state, take

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = (2, 2, 3, 3, 3)  # convolutions at each resolution
SHIFT = (-0.030, -0.088, -0.188)  # of the published code, for pixels in [-1, 1]
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10  # of the published code, beside a feature's length
TRUNK_REMEDY = "give torchvision's VGG16 as .pth or .safetensors"
HEADS_REMEDY = "give lpips/weights/v0.1/vgg.pth of the lpips package"


class Vgg16Features(nn.Module):
    """The last features at each of VGG16's five resolutions; frozen, random until loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.ModuleList(
                nn.Conv2d(before, width, 3, padding=1)
                for before in (narrow, *(width,) * (depth - 1))
            )
            for (narrow, width), depth in zip(pairwise((3, *WIDTHS)), DEPTHS, strict=True)
        )  # fmt: skip
        self.requires_grad_(False)

    def forward(self, pixels: Float[Tensor, "n 3 y x"]) -> list[Tensor]:
        """(n, c, h, w) maps at 1/1 to 1/16 of the size, of pixels in [-1, 1] with sides of 16 or more."""
        shift, scale = (torch.tensor(values).view(1, 3, 1, 1).to(pixels) for values in (SHIFT, SCALE))
        x, maps = (pixels - shift) / scale, []
        for number, stage in enumerate(self.stages):
            if number:
                x = F.max_pool2d(x, 2)
            assert isinstance(stage, nn.ModuleList)
            for layer in stage:
                x = F.relu(layer(x))
            maps.append(x)
        return maps

    def take(self, path: Path) -> None:
        """Load torchvision's state dict. Raises WeightsError on any other."""
        state, place = read_state(path, remedy=TRUNK_REMEDY), 0
        for stage in self.stages:
            assert isinstance(stage, nn.ModuleList)
            for layer in stage:
                for name, parameter in layer.named_parameters():
                    key, shape = f"features.{place}.{name}", tuple(parameter.shape)
                    parameter.data.copy_(take(path, state, key, shape=shape, remedy=TRUNK_REMEDY))
                place += 2  # a convolution and its ReLU
            place += 1  # and the pooling
        if unknown := [key for key in state if not key.startswith("classifier.")]:
            raise WeightsError(f"{path}: {unknown[0]!r} is no part of VGG16; {TRUNK_REMEDY}.")


class Lpips(nn.Module):
    """LPIPS of pairs of pictures; frozen, random until `load`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Vgg16Features()
        self.heads = nn.ParameterList(
            nn.Parameter(torch.rand(1, width, 1, 1) / width, requires_grad=False) for width in WIDTHS
        )

    @classmethod
    def load(cls, trunk: Path, heads: Path | None = None) -> Self:
        """From a VGG16 of torchvision's layout and the package's linear heads, by default those installed.

        Raises WeightsError on other files, MissingExtra where heads are neither given nor installed.
        """
        model, path = cls(), heads or installed_heads()
        model.trunk.take(trunk)
        state = read_state(path, remedy=HEADS_REMEDY)
        for number, head in enumerate(model.heads):
            key = f"lin{number}.model.1.weight"
            head.data.copy_(take(path, state, key, shape=tuple(head.shape), remedy=HEADS_REMEDY))
        return model

    def forward(
        self, given: Float[Tensor, "n 3 y x"], wanted: Float[Tensor, "n 3 y x"]
    ) -> Float[Tensor, "n"]:  # fmt: skip
        """One distance a pair of pictures in [-1, 1]: summed over depths, averaged over positions."""
        pairs = zip(self.trunk(given), self.trunk(wanted), self.heads, strict=True)
        return torch.stack([
            ((_unit(a) - _unit(b)).square() * head).sum(dim=1).mean(dim=(1, 2)) for a, b, head in pairs
        ]).sum(dim=0)  # fmt: skip


class LpipsDistance:
    """LPIPS of some frames of each clip, averaged: a `FeatureDistance`."""

    def __init__(self, model: Lpips, num_frames: int = 2):
        self.model = model
        self.num_frames = num_frames

    def __call__(
        self, decoded: Float[Tensor, "b 3 f y x"], pixels: Float[Tensor, "b 3 f y x"], draws: Draws
    ) -> Float[Tensor, ""]:
        """A float32 scalar; the draws choose the frames, and the gradient reaches `decoded` only."""
        frames = pick_frames(pixels.shape[2], self.num_frames, draws=draws).to(pixels.device)
        model = self.model.to(pixels.device)
        with torch.autocast(pixels.device.type, enabled=False):
            return model(take_frames(decoded, frames).float(), take_frames(pixels, frames).detach().float()).mean()


def installed_heads() -> Path:
    """The heads in the installed `lpips` package, found without importing it: it needs torchvision."""
    spec = find_spec("lpips")
    if spec is None or spec.origin is None:
        raise MissingExtra(
            "LPIPS needs the heads of the lpips package: pip install --no-deps lpips, or give their path."
        )
    return Path(spec.origin).parent / "weights" / "v0.1" / "vgg.pth"


def _unit(features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + EPSILON)
