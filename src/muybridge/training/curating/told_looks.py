"""What the trunk makes of clips of the worlds' scenes, drawn once and kept in a folder."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from muybridge.captioning.captioner import spread
from muybridge.captioning.own.sight import TRUNK, Looks, SightConfig, Trunk, open_trunk, prepared
from muybridge.core.files import atomic_path
from muybridge.training.curating.told_scenes import ToldScenes
from muybridge.weights.assets import ensure
from muybridge.worlds.world import Split

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
                save_file({"stills": made.stills, "film": made.film}, temporary)
        return Looks(**load_file(path))

    def _made(self, world: str, split: Split, numbers: Sequence[int]) -> Looks:
        drawn = self.scenes.world(world)
        films = (
            drawn.render(drawn.scene(number, split=split), size_px=SIZE_PX, num_frames=NUM_FRAMES) for number in numbers
        )
        stills, small = zip(*(prepared(spread(film), self.config) for film in films), strict=True)
        looks = self._trunk(torch.stack(stills), torch.stack(small))
        return Looks(stills=looks.stills.half(), film=looks.film.half())

    @cached_property
    def _trunk(self) -> Trunk:
        return open_trunk(ensure(TRUNK))


def together(parts: Sequence[Looks]) -> Looks:
    """The looks of all parts."""
    return Looks(stills=torch.cat([part.stills for part in parts]), film=torch.cat([part.film for part in parts]))


def rows_of(looks: Looks, rows: Int[Tensor, " b"]) -> Looks:
    """Those of some clips, float32."""
    return Looks(stills=looks.stills[rows].float(), film=looks.film[rows].float())
