"""The stage that teaches SmolLM2 to write captions of what is seen, from scenes of the worlds and their answers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.captioning.own.answers import Answer, answer
from muybridge.captioning.own.slots import Phrases, numbers, phrases_of
from muybridge.captioning.own.writer import LANGUAGE, Language, Writer, WriterConfig, mixture, open_language
from muybridge.core.errors import invalid
from muybridge.core.seeding import generator, seeded
from muybridge.training.config import RunConfig
from muybridge.training.curating.told_scenes import HELD_OUT_FROM, WORLDS, ToldScene, ToldScenes
from muybridge.training.self_trained import trained
from muybridge.training.trainer import OnStep
from muybridge.weights.assets import ensure
from muybridge.weights.small import save_small

WRITER_FILE = "writer.safetensors"
PART = 250  # scenes of a file


@dataclass(frozen=True, kw_only=True, slots=True)
class WriterStage:
    """Training on `num_scenes` of each world; `doubt` of the answers are mixed with another one."""

    network: WriterConfig = field(default_factory=WriterConfig)
    num_scenes: int = 1000
    num_held_out: int = 32
    doubt: float = 0.1
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        if self.num_scenes < 1 or self.num_held_out < 1:
            given = f"num_scenes={self.num_scenes}, num_held_out={self.num_held_out}"
            raise invalid(given, "there are scenes of both kinds", "use the defaults")
        if not 0 <= self.doubt < 1:
            raise invalid(f"doubt={self.doubt}", "a share in [0, 1)", "use 0.1")

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Tell the scenes in `folder` where they are missing, train, and write the changes with their accuracy."""
        scenes = ToldScenes(folder / "scenes")
        told = told_scenes(scenes, self.num_scenes)
        held_out = [
            scene for world in WORLDS
            for scene in scenes.some(world, "held_out", first=HELD_OUT_FROM, count=self.num_held_out // 2)
        ]  # fmt: skip
        task = WriterTask(told, held_out, language=open_language(ensure(LANGUAGE), dtype=torch.bfloat16), stage=self)
        with seeded(self.run.seed):
            network = Writer(self.network)
        averaged = trained(network, task, self, folder, on_step=on_step)
        path = folder / WRITER_FILE
        save_small(averaged, path, config=self.network, accuracy=task.validate(averaged))
        return path


def told_scenes(scenes: ToldScenes, count: int) -> list[ToldScene]:
    """The first `count` training scenes of each world."""
    return [
        scene for world in WORLDS for first in range(0, count, PART)
        for scene in scenes.some(world, "train", first=first, count=min(PART, count - first))
    ]  # fmt: skip


class WriterTask:
    """Next-token loss on what the writer chooses; batches are functions of (seed, step)."""

    critic: None = None

    def __init__(
        self, told: Sequence[ToldScene], held_out: Sequence[ToldScene], *, language: Language, stage: WriterStage
    ) -> None:
        self.told, self.held_out, self.language, self.stage = told, held_out, language, stage
        self.phrases: Phrases = phrases_of([each.answers for each in (*told, *held_out)])
        self._vectors = language.phrase_vectors(self.phrases)
        self._known: dict[int, Answer] = {}

    def loss(self, model: Writer, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy per token, and the share of tokens that are the likeliest."""
        draw = generator(self.stage.run.seed, step, micro, "writer")
        rows = self._order(step, batch_size, micro)
        shares = [self._shares([self.told[row] for row in rows], slot, draw) for slot in range(len(self.phrases))]
        return self._scored(model, [self._answer(row) for row in rows], shares)

    @torch.no_grad()
    def validate(self, model: Writer) -> dict[str, float]:
        """Loss, and the share of tokens that are right when those before them are, on held-out scenes."""
        found = list[dict[str, float]]()
        for start in range(0, len(self.held_out), self.stage.run.batch_size):
            scenes = self.held_out[start : start + self.stage.run.batch_size]
            shares = [self._shares(scenes, slot, None) for slot in range(len(self.phrases))]
            answers = [self._tokens(scene) for scene in scenes]
            loss, figures = self._scored(model, answers, shares)
            found.append({"loss": float(loss), **figures})
        return {name: sum(each[name] for each in found) / len(found) for name in found[0]}

    def _scored(
        self, model: Writer, answers: Sequence[Answer], shares: list[Tensor]
    ) -> tuple[Tensor, dict[str, float]]:
        language = self.language.model
        prefix = model.shown(mixture(shares, self._vectors))
        ids = torch.nn.utils.rnn.pad_sequence([each.ids for each in answers], batch_first=True)
        chosen = torch.nn.utils.rnn.pad_sequence([each.is_chosen for each in answers], batch_first=True)
        words = language.get_input_embeddings()(ids[:, :-1])
        with model.changing(language):
            states = language.model(inputs_embeds=torch.cat([prefix.to(words.dtype), words], 1), use_cache=False)
        hidden = states.last_hidden_state[:, prefix.shape[1] - 1 :][chosen]
        logits, wanted = language.lm_head(hidden).float(), ids[chosen]
        right = (logits.argmax(1) == wanted).float().mean()
        return F.cross_entropy(logits, wanted), {"right": float(right)}

    def _order(self, step: int, batch_size: int, micro: int) -> list[int]:
        """Each scene once before any comes again."""
        places = range((step + micro) * batch_size, (step + micro + 1) * batch_size)
        return [int(self._shuffled(place // len(self.told))[place % len(self.told)]) for place in places]

    def _shuffled(self, epoch: int) -> Tensor:
        return torch.randperm(len(self.told), generator=generator(self.stage.run.seed, epoch, "writer order"))

    def _shares(self, scenes: Sequence[ToldScene], slot: int, draw: torch.Generator | None) -> Float[Tensor, "b p"]:
        """One answer each; with `draw` some are mixed with another one, as they are where sight is in doubt."""
        count = len(self.phrases[slot])
        wanted = torch.tensor([numbers(scene.answers, self.phrases)[slot] for scene in scenes])
        shares = F.one_hot(wanted, count).float()
        if draw is None:
            return shares
        other = F.one_hot(torch.randint(count, (len(scenes),), generator=draw), count).float()
        is_mixed = torch.rand(len(scenes), generator=draw) < self.stage.doubt
        weight = (is_mixed * 0.5 * torch.rand(len(scenes), generator=draw))[:, None]
        return (1 - weight) * shares + weight * other

    def _answer(self, row: int) -> Answer:
        if row not in self._known:
            self._known[row] = self._tokens(self.told[row])
        return self._known[row]

    def _tokens(self, scene: ToldScene) -> Answer:
        return answer(asdict(scene.caption), self.language.tokenizer, self.language.vocabulary)
