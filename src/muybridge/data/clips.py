"""Pixel batches rendered as they are asked for; batch `step` is a pure function of (seed, step)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.seeding import generator
from muybridge.core.shapes import SPATIAL_RATIO, check_num_frames, check_size
from muybridge.data.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipsConfig:
    """What the VAE sees: whole clips of `size_px`; every n-th batch holds pictures instead.   Paper 4.1: 4:1.

    Whole, not windows: statistics of per-frame norms differ between the two, and a VAE trained on 64 px windows gained
    0.24 dB there and nothing on the 128 px clips it was meant for (docs/log.md).
    """

    size_px: int = 128
    num_frames: int = 17
    images_every: int = 5  # 0 for none
    images_per_clip: int = 4  # a batch of pictures holds this many times more samples

    def __post_init__(self) -> None:
        check_size(self.size_px, self.size_px, multiple=SPATIAL_RATIO)
        check_num_frames(self.num_frames)


class PixelSource(Protocol):
    """Batches of training pixels; batch `step` is a pure function of (seed, step)."""

    @property
    def seed(self) -> int:
        """What all draws derive from."""
        ...

    def batch(self, step: int, *, batch_size: int) -> Float[Tensor, "b 3 f y x"]:
        """Pixels in [-1, 1]; all clips, or all pictures."""
        ...


class Footage(Protocol):
    """What a VAE learns from, and clips that it never learns from."""

    def stream(self, config: ClipsConfig, *, seed: int) -> PixelSource:
        """Batches of training pixels."""
        ...

    def held_out(self, num_clips: int, *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
        """At most `num_clips` clips, always the same."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipStream:
    """Batches of training pixels from a world."""

    world: World
    config: ClipsConfig
    seed: int

    def batch(self, step: int, *, batch_size: int) -> Float[Tensor, "b 3 f y x"]:
        """Pixels in [-1, 1]; all clips, or all pictures."""
        config = self.config
        is_images = config.images_every > 0 and step % config.images_every == config.images_every - 1
        size = batch_size * config.images_per_clip if is_images else batch_size
        draw = generator(self.seed, step, "clips")
        indices = torch.randint(0, 2**40, (size,), generator=draw).tolist()
        frames = 1 if is_images else config.num_frames
        scenes = [self.world.scene(index) for index in indices]
        return _drawn(self.world, scenes, size_px=config.size_px, num_frames=frames)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldFootage:
    """A world's clips, drawn as they are asked for; held out are combinations that training never sees."""

    world: World

    def stream(self, config: ClipsConfig, *, seed: int) -> ClipStream:
        """Batches of training pixels, rendered."""
        return ClipStream(world=self.world, config=config, seed=seed)

    def held_out(self, num_clips: int, *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
        """The first `num_clips` clips of the held-out split."""
        return held_out_clips(self.world, num_clips, size_px=size_px, num_frames=num_frames)


def to_pixels(frames: np.ndarray) -> Float[Tensor, "3 f y x"]:
    """uint8 (t, h, w, 3) as float32 (3, t, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(3, 0, 1, 2))).float() / 127.5 - 1.0


def held_out_clips(world: World, num_clips: int, *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
    """The first `num_clips` clips of combinations that training never sees."""
    scenes = [world.scene(index, split="held_out") for index in range(num_clips)]
    return _drawn(world, scenes, size_px=size_px, num_frames=num_frames)


def _drawn(world: World, scenes: Sequence[Any], *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
    return torch.stack([to_pixels(world.render(scene, size_px=size_px, num_frames=num_frames)) for scene in scenes])
