"""Clips of both worlds under all fourteen camera movements, kept as their flow.

Things move in all of them. Held-out clips show other subjects (sprites), other combinations (both) and other scenes.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from safetensors.torch import load_file, save_file
from torch import Tensor

from muybridge.captioning.camera_flow import CellFlow, FlowFilms, flow_film, joined
from muybridge.core.errors import RunFailed, invalid
from muybridge.core.files import atomic_path
from muybridge.core.seeding import mix
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Frames
from muybridge.weights.assets import ensure
from muybridge.worlds.library import WebpLibrary
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.physics import PhysicsConfig, PhysicsScene, PhysicsWorld
from muybridge.worlds.sprites import AnyScene, SpritesConfig, SpritesWorld
from muybridge.worlds.staging import StagedScene
from muybridge.worlds.world import DescribedWorld, Split

LENGTHS = ((17, 12), (17, 12), (25, 12), (25, 16), (33, 24), (57, 24))  # frames, frames a second
SIZES = ((112, 112), (128, 96), (160, 96), (144, 112), (96, 128), (176, 100))  # pixels across and down
WORLDS = ("staged", "staged", "physics")  # of which a part holds a clip for each movement
# The first parts show each scene under all fourteen movements, the others a scene each.
NUM_ALIKE: Mapping[Split, int] = MappingProxyType({"train": 12, "held_out": 3})
NUM_TRIES, ANOTHER = 5, 100_000  # scenes whose event never happens are replaced by those so many further on
EVERY = 6  # of the drawings, one is never seen in training
SPANS = ("short", "long")  # of flow in a file
MIN_STRETCH, MIN_CROP = 0.6, 0.8  # of a clip's length and sides that a copy shows

Random = np.random.Generator


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraFilmsConfig:
    """Parts of 42 clips to learn from, to calibrate with, and to test on; copies of each clip to learn from."""

    num_train: int = 80
    num_calibration: int = 7
    num_held_out: int = 8
    num_copies: int = 3

    def __post_init__(self) -> None:
        for name in ("num_train", "num_calibration", "num_held_out", "num_copies"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedFilms:
    """Flow of n clips; the number of each one's movement, of its world in `WORLDS`, and how many things move in it."""

    films: FlowFilms
    movements: Int[Tensor, " n"]
    worlds: Int[Tensor, " n"]
    num_moving: Int[Tensor, " n"]


class CameraFilms:
    """The parts in `folder`; those that are missing are made when they are asked for."""

    def __init__(self, config: CameraFilmsConfig, folder: Path) -> None:
        self.config, self.folder = config, folder

    def train(self) -> NamedFilms:
        """All to learn from."""
        return together([self.part("train", number) for number in range(self.config.num_train)])

    def calibration(self) -> NamedFilms:
        """Held-out clips to set the temperature by."""
        return together([self.part("held_out", number) for number in range(self.config.num_calibration)])

    def held_out(self) -> NamedFilms:
        """Held-out clips to test on, with scenes of their own each."""
        first = self.config.num_calibration
        numbers = range(first, first + self.config.num_held_out)
        return together([self.part("held_out", number) for number in numbers])

    def part(self, split: Split, number: int) -> NamedFilms:
        """One part, from its file, which is written first where it is missing."""
        path = self.folder / f"{split}-{number:03d}.safetensors"
        if not path.exists():
            made = self._made(split, number)
            with atomic_path(path) as temporary:
                save_file({**_films(made.films), **_facts(made)}, temporary)
        kept = load_file(path)
        films = FlowFilms(short=_flow(kept, "short"), long=_flow(kept, "long"), extent=kept["extent"])
        return NamedFilms(
            films=films, movements=kept["movements"], worlds=kept["worlds"], num_moving=kept["num_moving"]
        )

    def _made(self, split: Split, number: int) -> NamedFilms:
        films, facts = list[FlowFilms](), list[tuple[int, int, int]]()
        num_copies = self.config.num_copies if split == "train" else 1
        for turn in range(len(WORLDS) * len(MOVEMENTS)):
            kind, movement = turn // len(MOVEMENTS), turn % len(MOVEMENTS)
            rng = np.random.default_rng(mix(0, "camera films", split, number, turn))
            # Numbers that no two clips share, but those of a scene seen under all movements.
            index = number * 8 + kind if number < NUM_ALIKE[split] else 1000 + number * 42 + turn
            frames, fps, num_moving = self._clip(rng, WORLDS[kind], MOVEMENTS[movement], (split, index))
            for _ in range(num_copies):
                films.append(flow_film(*worn(frames, fps, rng)))
                facts.append((movement, kind, num_moving))
        movements, worlds, moving = torch.tensor(facts).T
        return NamedFilms(films=joined(films), movements=movements, worlds=worlds, num_moving=moving)

    def _clip(self, rng: Random, kind: str, movement: str, place: tuple[Split, int]) -> tuple[Frames, float, int]:
        """Frames, their rate, and how many things move."""
        (num_frames, fps), (width, height) = LENGTHS[rng.integers(len(LENGTHS))], SIZES[rng.integers(len(SIZES))]
        split, index = place
        world = self._physics if kind == "physics" else self._staged(split)
        made = world(movement, num_frames, fps, (width, height))
        scene = possible_scene(made, index, split)
        return made.render(scene), float(fps), num_moving(scene)

    def _physics(self, movement: str, num_frames: int, fps: int, size: tuple[int, int]) -> PhysicsWorld:
        config = PhysicsConfig(
            width_px=size[0], height_px=size[1], num_frames=num_frames, fps=fps, cameras=(movement,), seed=7
        )
        return PhysicsWorld(config)

    def _staged(self, split: Split) -> Callable[[str, int, int, tuple[int, int]], SpritesWorld]:
        names = [subject.name for subject in self._library.subjects]
        cast = tuple(name for number, name in enumerate(names) if (number % EVERY == 0) == (split == "held_out"))

        def world(movement: str, num_frames: int, fps: int, size: tuple[int, int]) -> SpritesWorld:
            config = SpritesConfig(
                width_px=size[0], height_px=size[1], num_frames=num_frames, fps=fps, subjects=cast,
                cameras=(movement,), edition="staged", seed=7,
            )  # fmt: skip
            return SpritesWorld(config, self._library)

        return world

    @cached_property
    def _library(self) -> WebpLibrary:
        return WebpLibrary(ensure("fluent-emoji-anim"))


def possible_scene(world: DescribedWorld, index: int, split: Split) -> Any:
    """Scene `index`, or another where it cannot happen in the clip's time. Raises RunFailed where none can."""
    for number in range(index, index + NUM_TRIES * ANOTHER, ANOTHER):
        with suppress(RunFailed):
            return world.scene(number, split=split)
    raise RunFailed(f"scene {index}: none of {NUM_TRIES} can happen; draw others.")


def worn(frames: Frames, fps: float, rng: Random) -> tuple[Frames, float]:
    """A stretch of a clip, cropped, with noise and compression, perhaps with every second frame alone."""
    length = max(9, round(len(frames) * rng.uniform(MIN_STRETCH, 1)))
    start = rng.integers(len(frames) - length + 1)
    step = 2 if length >= 33 and rng.random() < 0.5 else 1
    height, width = (round(side * rng.uniform(MIN_CROP, 1)) for side in frames.shape[1:3])
    top, left = (rng.integers(whole - part + 1) for whole, part in zip(frames.shape[1:3], (height, width), strict=True))
    shown = frames[start : start + length : step, top : top + height, left : left + width]
    noise, gain, quality = rng.choice([0.0, rng.uniform(0, 6)]), rng.uniform(0.6, 1.2), int(rng.integers(30, 100))
    noisy = shown * gain + rng.normal(0, 1, shown.shape).astype(np.float32) * noise
    pixels = np.clip(noisy, 0, 255).astype(np.uint8)
    return np.stack([_compressed(picture, quality) for picture in pixels]), fps / step


def num_moving(scene: PhysicsScene | AnyScene) -> int:
    """How many things of a scene move of their own: drawings that walk or hop, bodies that are not fixed."""
    if isinstance(scene, PhysicsScene):
        return sum(not thing.is_fixed for thing in scene.things)
    assert isinstance(scene, StagedScene)
    return sum(actor.motion != "still" for actor in scene.actors)


def together(parts: list[NamedFilms]) -> NamedFilms:
    """The clips of all parts."""
    return NamedFilms(
        films=joined([part.films for part in parts]), movements=torch.cat([part.movements for part in parts]),
        worlds=torch.cat([part.worlds for part in parts]), num_moving=torch.cat([part.num_moving for part in parts]),
    )  # fmt: skip


def _films(films: FlowFilms) -> dict[str, Tensor]:
    kept = {"extent": films.extent}
    for span in SPANS:
        for one in fields(CellFlow):
            kept[f"{span}.{one.name}"] = getattr(getattr(films, span), one.name).half()
    return kept


def _flow(kept: Mapping[str, Tensor], span: str) -> CellFlow:
    return CellFlow(**{one.name: kept[f"{span}.{one.name}"].float() for one in fields(CellFlow)})


def _facts(made: NamedFilms) -> dict[str, Tensor]:
    facts = {"movements": made.movements, "worlds": made.worlds, "num_moving": made.num_moving}
    return {name: fact.contiguous() for name, fact in facts.items()}


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    cv2 = opencv()
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_COLOR)
