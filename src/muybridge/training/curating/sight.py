"""The stage that trains what our captioner sees with, on clips of the worlds whose answers are known."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.captioning.own.sight import Looks, Sight, SightConfig
from muybridge.captioning.own.slots import SLOTS, Phrases, Seen, numbers, phrases_of
from muybridge.core.errors import invalid
from muybridge.core.seeding import generator, seeded
from muybridge.training.config import RunConfig
from muybridge.training.curating.familiar import set_familiar
from muybridge.training.curating.mirrored_answers import mirrored as mirrored_answers
from muybridge.training.curating.told_looks import ToldLooks, mirrored, rows_of, together
from muybridge.training.curating.told_scenes import HELD_OUT_FROM, WORLDS, ToldScene, ToldScenes
from muybridge.training.self_trained import trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import load_small, save_small

SIGHT_FILE = "sight.safetensors"
PARTS = {"sprites": 250, "physics": 100}  # clips of a file
UNKNOWN = -1  # the number of an answer that nothing is learned from
_PLACEHOLDER = SightConfig(phrases=(("",),) * len(SLOTS))  # of which only the sizes are used


@dataclass(frozen=True, kw_only=True, slots=True)
class SightStage:
    """Training on so many clips of each world; `blur` is how far features are moved at random, in deviations."""

    num_sprites: int = 4000
    num_physics: int = 2700
    num_held_out: int = 60  # of each world
    blur: float = 0.2
    network: SightConfig = _PLACEHOLDER
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if min(self.num_sprites, self.num_physics, self.num_held_out) < 1:
            raise invalid("no clips of a kind", "there are some of each", "use the defaults")

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Draw and look at the clips in `folder` where they are missing, train, and write the network."""
        scenes = ToldScenes(folder / "scenes")
        looks = ToldLooks(folder / "looks", scenes=scenes, config=self.network)
        told, seen = list[ToldScene](), list[Looks]()
        for world, count in zip(WORLDS, (self.num_sprites, self.num_physics), strict=True):
            for first in range(0, count, PARTS[world]):
                size = min(PARTS[world], count - first)
                told += scenes.some(world, "train", first=first, count=size)
                seen.append(looks.some(world, "train", first=first, count=size))
        held_out = [
            (scenes.some(world, "held_out", first=HELD_OUT_FROM, count=self.num_held_out),
             looks.some(world, "held_out", first=HELD_OUT_FROM, count=self.num_held_out)) for world in WORLDS
        ]  # fmt: skip
        every = [*told, *(scene for some, _ in held_out for scene in some)]
        config = replace(self.network, phrases=phrases_of([scene.visible for scene in every]))
        task = SightTask(
            Labelled(together(seen), [scene.visible for scene in told], config),
            [Labelled(each, [scene.visible for scene in some], config) for some, each in held_out], stage=self,
        )  # fmt: skip
        with seeded(self.run.seed):
            network = Sight(config)
        averaged = trained(network, task, self, folder, on_step=on_step)
        set_familiar(averaged, task.clips.looks, task.clips.answers[:, SLOTS.index("place")])
        path = folder / SIGHT_FILE
        save_small(averaged, path, config=config)
        shipped = load_small(path, SightConfig, Sight)  # judged as it will be read, rounded to int8
        save_small(averaged, path, config=config, accuracy=task.validate(shipped))
        return path


class Labelled:
    """Looks of clips with the numbers of their answers."""

    def __init__(self, looks: Looks, answers: Sequence[Seen], config: SightConfig) -> None:
        self.looks = looks
        self.answers: Int[Tensor, "n s"] = torch.tensor([numbers(each, config.phrases) for each in answers])
        self.in_mirror: Int[Tensor, "n s"] = torch.tensor(
            [_known(mirrored_answers(each), config.phrases) for each in answers]
        )


class SightTask:
    """The sum of every slot's cross-entropy; batches are functions of (seed, step)."""

    critic: None = None

    def __init__(self, train: Labelled, held_out: Sequence[Labelled], *, stage: SightStage) -> None:
        self.clips, self.held_out, self.stage = train, held_out, stage

    def loss(self, model: Sight, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """On clips drawn at random, their features moved a little."""
        draw = generator(self.stage.run.seed, step, micro, "sight")
        rows = torch.randint(len(self.clips.answers), (batch_size,), generator=draw)
        is_mirrored = torch.rand(batch_size, generator=draw) < 0.5
        looks = mirrored(rows_of(self.clips.looks, rows), is_mirrored).changed(lambda each: self._moved(each, draw))
        with seeded(int(torch.randint(2**31, (1,), generator=draw))):  # dropout
            logits = model(looks)
        wanted = torch.where(is_mirrored[:, None], self.clips.in_mirror[rows], self.clips.answers[rows])
        terms = [_loss(found, right) for found, right in zip(logits, wanted.unbind(1), strict=True)]
        return torch.stack(terms).sum(), {name: float(term.detach()) for name, term in zip(SLOTS, terms, strict=True)}

    @torch.no_grad()
    def validate(self, model: Sight) -> dict[str, float]:
        """On held-out combinations: of each slot the share of clips whose likeliest answer is right, and the mean."""
        was_training = model.training
        model.eval()
        right = torch.cat([self._right(model, clips) for clips in self.held_out]).float().mean(0)
        model.train(was_training)
        return {name: float(share) for name, share in zip(SLOTS, right, strict=True)} | {"mean": float(right.mean())}

    def _right(self, model: Sight, clips: Labelled) -> Tensor:
        best = list[Tensor]()
        for rows in torch.arange(len(clips.answers)).split(self.stage.run.batch_size):
            logits = model(rows_of(clips.looks, rows))
            best.append(torch.stack([each.argmax(1) for each in logits], 1))
        return torch.cat(best) == clips.answers

    def _moved(self, features: Tensor, draw: torch.Generator) -> Tensor:
        return features + self.stage.blur * features.std() * torch.randn(features.shape, generator=draw)


def _known(seen: Seen, phrases: Phrases) -> list[int]:
    """The place of each answer among the phrases, `UNKNOWN` where it is none of them."""
    return [
        known.index(answer) if answer in known else UNKNOWN for answer, known in zip(seen.answers, phrases, strict=True)
    ]


def _loss(logits: Float[Tensor, "b p"], wanted: Int[Tensor, " b"]) -> Tensor:
    """Cross-entropy over the clips whose answer is known."""
    summed = F.cross_entropy(logits, wanted, ignore_index=UNKNOWN, reduction="sum")
    return summed / (wanted != UNKNOWN).sum().clamp_min(1)
