"""Scenes of both worlds with what there is to see in them and a caption in the usual words, kept in a folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from muybridge.captioning.own.scene_answers import physics_answers, staged_answers
from muybridge.captioning.own.slots import Seen
from muybridge.captioning.own.wordings import usual
from muybridge.core.files import atomic_path
from muybridge.weights.assets import ensure
from muybridge.worlds.physics import PhysicsConfig, PhysicsWorld
from muybridge.worlds.physics.captions import structured_caption
from muybridge.worlds.prose import Cast, structured_staged
from muybridge.worlds.sprites import SpritesWorld, complete_sprites
from muybridge.worlds.staging import StagedScene
from muybridge.worlds.structured import StructuredCaption
from muybridge.worlds.world import Split

WORLDS = ("sprites", "physics")
HELD_OUT_FROM = 1000  # benchmarks score the first ones
NUM_WORDINGS = 12  # from which the most usual one is taken


@dataclass(frozen=True, kw_only=True, slots=True)
class ToldScene:
    """What is to be seen, in two orders (see `staged_answers`), and what is said of it."""

    answers: Seen  # first the one that the caption is about
    visible: Seen  # first the one that anybody would name first
    caption: StructuredCaption


class ToldScenes:
    """Scenes of the worlds; what is made is kept in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def some(self, world: str, split: Split, *, first: int, count: int) -> list[ToldScene]:
        """Scenes `first` to `first + count - 1` of a world's split, from their file, written where it is missing."""
        path = self.folder / f"{world}-{split}-{first:05d}-{count}.json"
        if not path.exists():
            made = [self._made(world, split, index) for index in range(first, first + count)]
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps([asdict(scene) for scene in made], ensure_ascii=False))
        return [_read(row) for row in json.loads(path.read_text())]

    def _made(self, world: str, split: Split, index: int) -> ToldScene:
        if world == "physics":
            scene = self.physics.scene(index, split=split)
            said = [structured_caption(scene, variant=number) for number in range(NUM_WORDINGS)]
            answers = physics_answers(scene)
            return ToldScene(answers=answers, visible=answers, caption=_usual(said))
        scene = self.sprites.scene(index, split=split)
        assert isinstance(scene, StagedScene)
        said = [structured_staged(scene, self.cast, variant=number) for number in range(NUM_WORDINGS)]
        return ToldScene(
            answers=staged_answers(scene, self.cast), visible=staged_answers(scene, self.cast, is_ordered=True),
            caption=_usual(said),
        )  # fmt: skip

    @cached_property
    def sprites(self) -> SpritesWorld:
        """The staged edition."""
        return SpritesWorld(complete_sprites(), ensure("fluent-emoji-anim"))

    @cached_property
    def cast(self) -> Cast:
        """Its subjects by name."""
        return {subject.name: subject for subject in self.sprites.subjects}

    @cached_property
    def physics(self) -> PhysicsWorld:
        """The other world."""
        return PhysicsWorld(PhysicsConfig())


def _usual(said: Sequence[StructuredCaption]) -> StructuredCaption:
    return StructuredCaption(
        **{name: texts[0] for name, texts in usual([asdict(each) for each in said], count=1).items()}
    )


def _read(row: Mapping[str, Any]) -> ToldScene:
    answers, visible = (Seen(answers=tuple(row[name]["answers"])) for name in ("answers", "visible"))
    return ToldScene(answers=answers, visible=visible, caption=StructuredCaption(**row["caption"]))
