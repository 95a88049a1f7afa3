"""Clips of the worlds with the language model's states of their captions, drawn once and kept in a folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.text.gallop import RawStates
from muybridge.weights.assets import ensure
from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
from muybridge.worlds.sprites import SpritesConfig, SpritesWorld, complete_sprites
from muybridge.worlds.world import DescribedWorld, Split

MAX_TOKENS = 192  # the longest of the worlds' captions has about 130
LANGUAGE, DRAWINGS = "smollm2-135m-instruct", "fluent-emoji-anim"


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldClipsConfig:
    """How many clips of each world a part holds, and how many parts there are to learn from.

    `num_captions` wordings of each clip: a short one, then one of several sentences, and so on.
    """

    num_staged: int = 160
    num_flat: int = 65
    num_physics: int = 25
    num_parts: int = 9
    size_px: int = 64
    num_frames: int = 13
    num_captions: int = 2

    def __post_init__(self) -> None:
        if self.num_parts < 1 or self.num_captions < 1 or self.num_clips < 2:
            raise invalid(f"num_parts={self.num_parts}", "there must be clips to learn from", "use the defaults")

    @property
    def num_clips(self) -> int:
        """Of a part."""
        return self.num_staged + self.num_flat + self.num_physics


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionedClips:
    """Clips uint8 (n, t, h, w, 3), and of each caption, clip by clip, the states up to `ends`."""

    clips: UInt8[Tensor, "n t h w 3"]
    states: Float[Tensor, "words e"]
    ends: Tensor
    num_captions: int

    def caption(self, clip: int, wording: int) -> Float[Tensor, "l e"]:
        """The states of one wording, float32."""
        number = clip * self.num_captions + wording
        start = int(self.ends[number - 1]) if number else 0
        return self.states[start : int(self.ends[number])].float()


class WorldClips:
    """The parts in `folder`; those that are missing are made when they are asked for."""

    def __init__(self, config: WorldClipsConfig, folder: Path) -> None:
        self.config, self.folder = config, folder

    def train(self) -> list[CaptionedClips]:
        """The parts to learn from."""
        return [self.part(number) for number in range(self.config.num_parts)]

    def held_out(self) -> CaptionedClips:
        """A part of combinations that no other has."""
        return self.part(0, split="held_out")

    def part(self, number: int, *, split: Split = "train") -> CaptionedClips:
        """One part, from its file, which is written first where it is missing."""
        path = self.folder / f"{split}-{number:03d}.safetensors"
        if not path.exists():
            clips, states, ends = self._made(number, split)
            with atomic_path(path) as temporary:
                save_file({"clips": clips, "states": states, "ends": ends}, temporary)
        return CaptionedClips(**load_file(path), num_captions=self.config.num_captions)

    def _made(self, number: int, split: Split) -> tuple[Tensor, Tensor, Tensor]:
        clips, captions = [], list[str]()
        for world, index in self._scenes(number):
            scene = world.scene(index, split=split)
            clips.append(world.render(scene, size_px=self.config.size_px, num_frames=self.config.num_frames))
            captions += world.captions(scene, self.config.num_captions)
        states = [each.half() for each in self._language.many(captions)]
        ends = torch.tensor([len(each) for each in states]).cumsum(0)
        return torch.stack([torch.from_numpy(clip) for clip in clips]), torch.cat(states), ends

    def _scenes(self, number: int) -> Iterator[tuple[DescribedWorld, int]]:
        """Worlds by turns of their own, so that no part repeats a scene of another."""
        counts = (self.config.num_staged, self.config.num_flat, self.config.num_physics)
        for world, count in zip(self._worlds, counts, strict=True):
            for index in range(number * count, (number + 1) * count):
                yield world, index

    @cached_property
    def _worlds(self) -> tuple[DescribedWorld, ...]:
        drawings, size = ensure(DRAWINGS), self.config.size_px
        return (
            SpritesWorld(complete_sprites(size_px=size), drawings),
            SpritesWorld(SpritesConfig(width_px=size, height_px=size), drawings),
            PhysicsWorld(PhysicsConfig(width_px=size, height_px=size)),
        )

    @cached_property
    def _language(self) -> RawStates:
        return RawStates(ensure(LANGUAGE), max_tokens=MAX_TOKENS)
