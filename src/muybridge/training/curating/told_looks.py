"""What the trunk makes of clips of the worlds' scenes, drawn once and kept in a folder."""

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from muybridge.captioning.captioner import NUM_FRAMES as NUM_SHOWN
from muybridge.captioning.captioner import spread
from muybridge.captioning.own.sight import TRUNK, Looks, SightConfig, Trunk, open_trunk, prepared
from muybridge.core.files import atomic_path
from muybridge.media.frames import Frames
from muybridge.training.curating.told_scenes import ToldScenes
from muybridge.weights.assets import ensure
from muybridge.worlds.physics.render import draw_film
from muybridge.worlds.world import Split

LOOKS = tuple(each.name for each in fields(Looks))
SIZE_PX, NUM_FRAMES = 128, 17  # of the clips
BATCH = 10  # clips that are looked at together


class ToldLooks:
    """Looks of scenes by world, split and number; those that are missing are made when they are asked for."""

    def __init__(self, folder: Path, *, scenes: ToldScenes, config: SightConfig) -> None:
        self.folder, self.scenes, self.config = folder, scenes, config

    def some(self, world: str, split: Split, *, first: int, count: int) -> Looks:
        """Of scenes `first` to `first + count - 1`, float16."""
        path = self.folder / f"{world}-{split}-{first:05d}-{count}.safetensors"
        if not path.exists():
            numbers = range(first, first + count)
            batches = [numbers[start : start + BATCH] for start in range(0, count, BATCH)]
            made = together([self._made(world, split, batch) for batch in batches])
            with atomic_path(path) as temporary:
                save_file({name: getattr(made, name) for name in LOOKS}, temporary)
        return Looks(**load_file(path))

    def _made(self, world: str, split: Split, numbers: Sequence[int]) -> Looks:
        films = (self._film(world, split, number) for number in numbers)
        stills, small = zip(*(prepared(film, self.config) for film in films), strict=True)
        return self._trunk(torch.stack(stills), torch.stack(small)).changed(Tensor.half)

    def _film(self, world: str, split: Split, number: int) -> Frames:
        """The frames that a captioner would be shown."""
        if world == "sprites":
            staged = self.scenes.sprites
            return spread(staged.render(staged.scene(number, split=split), size_px=SIZE_PX, num_frames=NUM_FRAMES))
        scene = self.scenes.physics.scene(number, split=split)  # drawing is slow here: the other frames are left out
        shown = np.linspace(0, NUM_FRAMES - 1, NUM_SHOWN).round().astype(int)  # as `spread` has them
        path = self.scenes.physics.camera(scene, size_px=SIZE_PX, num_frames=NUM_FRAMES)
        path = replace(path, position=path.position[shown], axes=path.axes[shown], tan_half=path.tan_half[shown])
        poses = self.scenes.physics.motion(scene, num_frames=NUM_FRAMES).qpos[shown]
        return draw_film(scene, poses, path, width_px=SIZE_PX, height_px=SIZE_PX)

    @cached_property
    def _trunk(self) -> Trunk:
        return open_trunk(ensure(TRUNK))


def together(parts: Sequence[Looks]) -> Looks:
    """The looks of all parts."""
    return Looks(**{name: torch.cat([getattr(part, name) for part in parts]) for name in LOOKS})


def rows_of(looks: Looks, rows: Int[Tensor, " b"]) -> Looks:
    """Those of some clips, float32."""
    return looks.changed(lambda features: features[rows].float())


def mirrored(looks: Looks, is_mirrored: Bool[Tensor, " b"]) -> Looks:
    """As the trunk would see some of the clips in a mirror, but for its uneven padding."""
    return looks.changed(lambda features: torch.where(_beside(is_mirrored, features), features.flip(-1), features))


def _beside(flags: Bool[Tensor, " b"], features: Tensor) -> Tensor:
    return flags.view(-1, *[1] * (features.ndim - 1))
