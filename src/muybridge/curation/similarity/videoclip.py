"""A small VideoCLIP: clips and captions as vectors of one space, near where a caption tells what a clip shows.

Paper 3.1 uses such vectors to tell duplicates and to group clips by concept. Contrastive as in Radford et al., arXiv
2103.00020, of clips as in Xu et al., arXiv 2109.14084; copies of a clip are pulled together as well. Trained by
`muybridge train curation-clip`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from muybridge.core.errors import invalid
from muybridge.media.frames import Frames

CHANGE_SCALE = 2.0  # brings changes near the spread of pixels (convention)
CLAMP = 8.0  # standard deviations of a text state; a few tokens exceed it without meaning more


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoClipConfig:
    """How large the two towers are; 222,000 parameters as it stands."""

    size_px: int = 64
    num_frames: int = 8  # taken evenly from the clip, first and last among them
    channels: tuple[int, int, int, int] = (20, 32, 56, 80)
    place_channels: int = 3  # of the features that keep their place: a zoom is a pan that differs by place
    dim: int = 256
    text_dim: int = 576  # of SmolLM2's states
    text_width: int = 96
    text_heads: int = 4  # each looks for its own words

    def __post_init__(self) -> None:
        if self.size_px % 16 or self.size_px < 32:
            raise invalid(f"size_px={self.size_px}", "must be a multiple of 16, at least 32", "use 64")
        if self.num_frames < 4 or self.num_frames % 4:
            raise invalid(f"num_frames={self.num_frames}", "must be a multiple of 4", "use 8")
        if self.text_width % self.text_heads:
            raise invalid(f"text_heads={self.text_heads}", f"divides text_width={self.text_width}", "use 4")


class VideoClip(nn.Module):
    """The two towers. Both give vectors of length 1, so that products are cosines."""

    def __init__(self, config: VideoClipConfig) -> None:
        super().__init__()
        self.config = config
        self.visual = VisualTower(config)
        self.text = TextTower(config)


class VisualTower(nn.Module):
    """Convolutions in space and time by turns; the mean of the features is read, and coarsely where they are."""

    def __init__(self, config: VideoClipConfig) -> None:
        super().__init__()
        first, second, third, last = config.channels
        self.trunk = nn.Sequential(
            nn.Conv3d(6, first, (1, 4, 4), stride=(1, 2, 2), padding=(0, 1, 1)), _norm(first), nn.SiLU(),
            *_in_space(first, second), *_in_time(second, stride=1),
            *_in_space(second, third), *_in_time(third, stride=2),
            *_in_space(third, last), *_in_time(last, stride=2),
        )  # fmt: skip
        self.place = nn.Conv3d(last, config.place_channels, 1)
        num_places = config.num_frames // 4 * (config.size_px // 16) ** 2
        self.out = nn.Linear(last + config.place_channels * num_places, config.dim)

    def forward(self, pixels: Float[Tensor, "b 3 t y x"]) -> Float[Tensor, "b d"]:
        """Vectors of clips in [-1, 1], of the config's size and number of frames (see `prepared`)."""
        changes = CHANGE_SCALE * torch.diff(pixels, dim=2, prepend=pixels[:, :, :1])
        features = self.trunk(torch.cat([pixels, changes], 1))
        read = torch.cat([features.mean(dim=(2, 3, 4)), self.place(features).flatten(1)], 1)
        return F.normalize(self.out(read).float(), dim=1)


class TextTower(nn.Module):
    """Attention over the states of a caption's words: every head learns which words it reads."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: VideoClipConfig) -> None:
        super().__init__()
        self.heads = config.text_heads
        self.register_buffer("mean", torch.zeros(config.text_dim))
        self.register_buffer("std", torch.ones(config.text_dim))
        self.score = nn.Linear(config.text_dim, config.text_heads)
        self.value = nn.Linear(config.text_dim, config.text_width)
        self.out = nn.Linear(config.text_width, config.dim)

    def forward(self, states: Float[Tensor, "b l e"], mask: Bool[Tensor, "b l"]) -> Float[Tensor, "b d"]:
        """Vectors of captions, of the language model's states as they are; `mask` is true where there is a word."""
        words = ((states - self.mean) / self.std).clamp(-CLAMP, CLAMP)
        weights = self.score(words).float().masked_fill(~mask[..., None], -torch.inf).softmax(1)
        values = rearrange(self.value(words), "b l (h c) -> b l h c", h=self.heads)
        pooled = rearrange((weights[..., None] * values).sum(1), "b h c -> b (h c)")
        return F.normalize(self.out(F.silu(pooled)).float(), dim=1)


def prepared(film: Frames, config: VideoClipConfig) -> Float[Tensor, "3 t y x"]:
    """A film of any size and length as the visual tower sees it, pixels in [-1, 1]. A picture is one that stands."""
    chosen = np.linspace(0, len(film) - 1, config.num_frames).round().astype(int)
    frames = rearrange(torch.from_numpy(film[chosen]), "t h w c -> t c h w").float() / 127.5 - 1
    size = (config.size_px, config.size_px)
    small = F.interpolate(frames, size=size, mode="bilinear", antialias=True, align_corners=False)
    return rearrange(small, "t c h w -> c t h w")


def padded(states: Sequence[Float[Tensor, "_ e"]]) -> tuple[Float[Tensor, "b l e"], Bool[Tensor, "b l"]]:
    """The states of several captions side by side, and where there is a word."""
    lengths = torch.tensor([len(each) for each in states])
    whole = pad_sequence(list(states), batch_first=True)
    return whole, torch.arange(whole.shape[1]) < lengths[:, None]


def _in_space(channels_in: int, channels_out: int) -> tuple[nn.Module, ...]:
    """Half the size."""
    conv = nn.Conv3d(channels_in, channels_out, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
    return conv, _norm(channels_out), nn.SiLU()


def _in_time(channels: int, *, stride: int) -> tuple[nn.Module, ...]:
    conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(stride, 1, 1), padding=(1, 0, 0))
    return conv, _norm(channels), nn.SiLU()


def _norm(channels: int) -> nn.Module:
    return nn.GroupNorm(4, channels)
