"""Training the judge of damaged pictures on ladders of damage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.core.seeding import generator, mix
from muybridge.curation.measures.looks import grey
from muybridge.curation.measures.niqe import pristine
from muybridge.curation.measures.technical import QualityConfig, QualityNet
from muybridge.curation.measures.traces import traces
from muybridge.training.config import RunConfig
from muybridge.training.curating.ladders import LADDERS, damaged, quality
from muybridge.training.curating.pictures import clean_pictures, photographs
from muybridge.training.self_trained import seeded, trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small

QUALITY_FILE = "quality.safetensors"
PART = 1000  # examples that are kept together
MIN_PART = 0.7  # of a clean picture's sides that an example shows
STEPS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of a held-out ladder
SHARE_CLEAN, SHARE_TWICE = 0.08, 0.25  # of the examples: undamaged, damaged twice


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityStage:
    """`num_examples` damaged pictures of `num_worlds` renders of each world, photographs and `num_textures`."""

    network: QualityConfig = field(default_factory=QualityConfig)
    num_worlds: int = 120
    num_textures: int = 60
    num_examples: int = 6000
    num_held_out: int = 12  # of each world
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for name in ("num_worlds", "num_textures", "num_examples", "num_held_out"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Train in `folder`; the file's accuracy holds the rank correlations of every ladder on held-out pictures."""
        task = QualityTask(self, folder)
        with seeded(self.run.seed):
            network = QualityNet(self.network)
        shown, _ = task.examples
        network.traces_mean.copy_(shown.mean(0))
        network.traces_deviation.copy_(shown.std(0) + 1e-3)
        judge = trained(network, task, self, folder, on_step=on_step)
        carry_statistics(judge, *pristine([grey(picture) for picture in photographs("train")]))
        save_small(judge, folder / QUALITY_FILE, config=self.network, accuracy=task.validate(judge))
        return folder / QUALITY_FILE


class QualityTask:
    """The squared error of the quality; examples are functions of the seed, made once and kept in memory."""

    critic: None = None

    def __init__(self, stage: QualityStage, folder: Path) -> None:
        """folder: where clean pictures are kept, which take longer to render than to read."""
        self.stage, self.folder = stage, folder

    def loss(self, model: QualityNet, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Of the rows of `step` that `micro` names."""
        shown, wanted = self.examples
        rows = torch.randint(
            len(wanted), (batch_size,), generator=generator(self.stage.run.seed, step, micro, "quality")
        )
        error = F.mse_loss(model(shown[rows]), wanted[rows])
        return error, {"rmse": float(error.detach()) ** 0.5}

    @torch.no_grad()
    def validate(self, model: QualityNet) -> dict[str, float]:
        """Rank correlations of damage and strength by family: of all held-out pictures, and the mean of single ones."""
        was_training = model.training
        model.eval()
        figures = {}
        for family, (shown, strengths) in self._ladders.items():
            judged = model(shown).numpy()
            figures[family] = round(-rank_correlation(judged, strengths), 3)
            of_each = zip(judged.reshape(-1, len(STEPS)), strengths.reshape(-1, len(STEPS)), strict=True)
            figures[f"{family}_each"] = round(float(np.mean([-rank_correlation(*pair) for pair in of_each])), 3)
        model.train(was_training)
        return figures

    @cached_property
    def examples(self) -> tuple[Float[Tensor, "n k"], Float[Tensor, " n"]]:
        """The traces of all training examples, and their qualities."""
        parts = [self._part(first) for first in range(0, self.stage.num_examples, PART)]
        shown, wanted = (np.concatenate(each) for each in zip(*parts, strict=True))
        return torch.from_numpy(shown).float(), torch.from_numpy(wanted).float()

    def _part(self, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Some of them, from the folder where they were made before: an interrupted run makes few twice."""
        path, last = self.folder / f"examples-{first}.npz", min(first + PART, self.stage.num_examples)
        if not path.exists():
            clean = self._clean("train", self.stage.num_worlds, self.stage.num_textures)
            made = [self._example(number, clean) for number in range(first, last)]
            with atomic_path(path) as partial:
                np.savez(partial, shown=np.stack([each for each, _ in made]), wanted=[each for _, each in made])
        with np.load(path) as kept:
            return kept["shown"], kept["wanted"]

    def _example(self, number: int, clean: np.ndarray) -> tuple[np.ndarray, float]:
        """Part of a clean picture, perhaps mirrored or turned, with its damages: the traces, and the quality left."""
        seed = mix(self.stage.run.seed, number, "damage")
        rng = np.random.default_rng(seed)
        picture, strengths = _cut(clean[int(rng.integers(len(clean)))], rng), _drawn(rng)
        for family, strength in zip(rng.permutation(list(LADDERS)), strengths, strict=False):
            picture = damaged(picture, str(family), strength, seed=seed)
        return traces(picture), quality(strengths)

    @cached_property
    def _ladders(self) -> dict[str, tuple[Tensor, np.ndarray]]:
        """Of every family the traces of the held-out pictures at all steps, and the strengths."""
        clean = self._clean("held_out", self.stage.num_held_out, self.stage.num_held_out)
        ladders = {}
        for family in LADDERS:
            rungs = [(picture, step) for picture in range(len(clean)) for step in STEPS]
            shown = [traces(damaged(clean[picture], family, step, seed=picture)) for picture, step in rungs]
            ladders[family] = torch.from_numpy(np.stack(shown)).float(), np.array([step for _, step in rungs])
        return ladders

    def _clean(self, split: str, num_worlds: int, num_textures: int) -> np.ndarray:
        """The clean pictures (n, y, x, 3), from the folder where they were made before."""
        path = self.folder / f"{split}-{num_worlds}-{num_textures}.npy"
        if not path.exists():
            chosen = "train" if split == "train" else "held_out"
            made = np.stack(list(clean_pictures(chosen, num_worlds=num_worlds, num_textures=num_textures)))
            with atomic_path(path) as partial:
                np.save(partial, made)
        return np.load(path)


def carry_statistics(network: QualityNet, mean: np.ndarray, covariance: np.ndarray) -> None:
    """Put into a network what `niqe` compares with."""
    network.pristine_mean.copy_(torch.from_numpy(mean))
    network.pristine_factor.copy_(torch.from_numpy(_factor(covariance)))


def rank_correlation(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Spearman's, with equal values sharing their mean rank."""
    return float(np.corrcoef(_ranks(np.asarray(first)), _ranks(np.asarray(second)))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _cut(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.uniform(MIN_PART, 1) * len(picture))
    top, left = rng.integers(len(picture) - side + 1, size=2)
    part = np.rot90(picture[top : top + side, left : left + side], int(rng.integers(4)))
    return np.ascontiguousarray(part[:, ::-1] if rng.uniform() < 0.5 else part)


def _drawn(rng: np.random.Generator) -> list[float]:
    """The strengths of an example's damages: none, one or two."""
    chance = rng.uniform()
    if chance < SHARE_CLEAN:
        return []
    return [float(each) for each in rng.uniform(0, 1, 2 if chance < SHARE_CLEAN + SHARE_TWICE else 1)]


def _factor(covariance: np.ndarray) -> np.ndarray:
    """The rows of the lower triangle of its Cholesky factor, which stays positive when it is rounded."""
    return np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))[np.tril_indices(len(covariance))]
