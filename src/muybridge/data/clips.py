"""Pixel batches rendered as they are asked for; batch `step` is a pure function of (seed, step)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator
from muybridge.data.world import World


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipsConfig:
    """What the VAE sees: scenes drawn at `render_px`, a random `crop_px` window; every n-th batch pictures instead.

    Paper 4.1: video and pictures 4:1.
    """

    render_px: int = 128
    crop_px: int = 64
    num_frames: int = 17
    images_every: int = 5
    num_windows: int = 3  # the busiest of so many is taken: plain ground teaches little
    images_per_clip: int = 4  # a batch of pictures holds this many times more samples

    def __post_init__(self) -> None:
        if self.crop_px > self.render_px or self.crop_px % 8:
            raise invalid(
                f"crop_px={self.crop_px}", f"a multiple of 8, at most render_px={self.render_px}", "shrink it"
            )


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
        room = config.render_px - config.crop_px + 1
        corners = torch.randint(0, room, (size, config.num_windows, 2), generator=draw).tolist()
        frames = 1 if is_images else config.num_frames
        return torch.stack([self._clip(*item, frames) for item in zip(indices, corners, strict=True)])

    def _clip(self, index: int, corners: list[list[int]], num_frames: int) -> Float[Tensor, "3 f y x"]:
        """The window with the largest spread of brightness."""
        scene, side = self.world.scene(index), self.config.crop_px
        frames = self.world.render(scene, size_px=self.config.render_px, num_frames=num_frames)
        windows = [frames[:, top : top + side, left : left + side] for top, left in corners]
        return to_pixels(max(windows, key=lambda window: float(window[0, ..., 1].std())))


def to_pixels(frames: np.ndarray) -> Float[Tensor, "3 f y x"]:
    """uint8 (t, h, w, 3) as float32 (3, t, h, w) in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(3, 0, 1, 2))).float() / 127.5 - 1.0


def held_out_clips(world: World, num_clips: int, *, size_px: int, num_frames: int) -> Float[Tensor, "b 3 f y x"]:
    """The first `num_clips` clips of combinations that training never sees."""
    scenes = [world.scene(index, split="held_out") for index in range(num_clips)]
    return torch.stack([to_pixels(world.render(scene, size_px=size_px, num_frames=num_frames)) for scene in scenes])
