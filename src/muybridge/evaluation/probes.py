"""A small network that tells what a clip of a world shows: subject, background, motion, camera.

It is trained on the renderer's own clips and their facts (`training.probe_stage`), so its judgement of generated clips
is as good as its accuracy on held-out real ones, which reports print beside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from muybridge.core.errors import invalid
from muybridge.media.frames import Frames, from_uint8
from muybridge.weights.small import load_small

ATTRIBUTES = ("subject", "background", "motion", "camera")
BATCH = 16
CHANGE_SCALE = 2.0  # brings changes near the spread of pixels (convention)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeConfig:
    """What a probe tells apart, by the names of a world's facts, and how wide it is."""

    subject: tuple[str, ...]
    background: tuple[str, ...]
    motion: tuple[str, ...]
    camera: tuple[str, ...]
    size_px: int = 64
    num_frames: int = 9  # taken evenly from the clip, first and last among them
    channels: tuple[int, int, int, int] = (16, 32, 64, 96)
    place_channels: int = 24  # of the features that keep their place: a zoom is a pan that differs by place
    sees_changes: bool = False  # reads what changed since the frame before as well: still ground is then plain to see

    def __post_init__(self) -> None:
        for name in ATTRIBUTES:
            if len(set(getattr(self, name))) < 2:
                raise invalid(f"{name}={getattr(self, name)}", "a probe tells at least two apart", "name more")
        if self.size_px % 16 or self.size_px < 32:
            raise invalid(f"size_px={self.size_px}", "must be a multiple of 16, at least 32", "use 64")
        if self.num_frames < 3:
            raise invalid(f"num_frames={self.num_frames}", "movement needs at least three frames", "use 9")

    def names(self, attribute: str) -> tuple[str, ...]:
        """The classes of one of `ATTRIBUTES`."""
        return getattr(self, attribute)


class ClipProbe(nn.Module):
    """Five space-time convolutions; every attribute reads the mean of the features and, coarsely, where they are.

    400,000 parameters at the default width; 0.2 GFLOP a clip.
    """

    def __init__(self, config: ProbeConfig) -> None:
        super().__init__()
        self.config = config
        first, second, third, last = config.channels
        inputs = 6 if config.sees_changes else 3
        self.trunk = nn.Sequential(
            nn.Conv3d(inputs, first, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)), _norm(first), nn.SiLU(),
            nn.Conv3d(first, second, 3, stride=(1, 2, 2), padding=1), _norm(second), nn.SiLU(),
            nn.Conv3d(second, third, 3, stride=2, padding=1), _norm(third), nn.SiLU(),
            nn.Conv3d(third, third, 3, padding=1), _norm(third), nn.SiLU(),
            nn.Conv3d(third, last, 3, stride=2, padding=1), _norm(last), nn.SiLU(),
        )  # fmt: skip
        self.place = nn.Conv3d(last, config.place_channels, 1)
        frames = (config.num_frames + 3) // 4
        width = last + config.place_channels * frames * (config.size_px // 16) ** 2
        self.heads = nn.ModuleDict({name: nn.Linear(width, len(config.names(name))) for name in ATTRIBUTES})

    def forward(self, pixels: Float[Tensor, "b 3 t y x"]) -> dict[str, Float[Tensor, "b n"]]:
        """Logits of each attribute. `pixels` in [-1, 1] at the probe's size and number of frames (see `prepared`)."""
        if self.config.sees_changes:
            pixels = torch.cat([pixels, CHANGE_SCALE * torch.diff(pixels, dim=2, prepend=pixels[:, :, :1])], 1)
        features = self.trunk(pixels)
        read = torch.cat([features.mean(dim=(2, 3, 4)), self.place(features).flatten(1)], 1)
        return {name: head(read).float() for name, head in self.heads.items()}


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(min(8, channels), channels)


def prepared(film: Frames, config: ProbeConfig) -> Float[Tensor, "3 f y x"]:
    """A film of any size and length as the probe sees it, pixels in [-1, 1].

    Raises InvalidInput on a film of fewer than three frames, which cannot show movement.
    """
    if len(film) < 3:
        raise invalid(f"a film of {len(film)} frames", "movement needs at least three", "judge longer films")
    chosen = np.linspace(0, len(film) - 1, config.num_frames).round().astype(int)
    frames = rearrange(from_uint8(film[chosen]), "c t h w -> t c h w")
    if frames.shape[-2:] != (config.size_px, config.size_px):
        frames = F.interpolate(
            frames, size=(config.size_px, config.size_px), mode="bilinear", antialias=True, align_corners=False
        )
    return rearrange(frames, "t c h w -> c t h w")


@torch.inference_mode()
def judge(probe: ClipProbe, films: Sequence[Frames]) -> list[dict[str, str]]:
    """What the probe sees in each film: the likeliest class of every attribute."""
    seen: list[dict[str, str]] = []
    for start in range(0, len(films), BATCH):
        pixels = torch.stack([prepared(film, probe.config) for film in films[start : start + BATCH]])
        best = {name: logits.argmax(1).tolist() for name, logits in probe(pixels).items()}
        seen += [{name: probe.config.names(name)[best[name][row]] for name in ATTRIBUTES} for row in range(len(pixels))]
    return seen


def targets(facts: Sequence[Mapping[str, str]], config: ProbeConfig) -> dict[str, Tensor]:
    """Class numbers (b,) of each attribute. Raises InvalidInput on a fact that the probe does not know."""
    for name in ATTRIBUTES:
        for unknown in {fact[name] for fact in facts} - set(config.names(name)):
            raise invalid(f"{name} {unknown!r}", "not among the probe's classes", "train a probe on this world")
    return {name: torch.tensor([config.names(name).index(fact[name]) for fact in facts]) for name in ATTRIBUTES}


def load_probe(path: Path) -> ClipProbe:
    """The probe of a file that `muybridge train gallop-probe` wrote. Raises WeightsError where it is none."""
    return load_small(path, ProbeConfig, ClipProbe)
