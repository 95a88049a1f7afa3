"""Training the judge of damaged pictures on ladders of damage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.core.seeding import generator, mix
from muybridge.curation.measures.looks import grey, tiles
from muybridge.curation.measures.niqe import pristine
from muybridge.curation.measures.technical import QualityConfig, QualityNet
from muybridge.training.config import RunConfig
from muybridge.training.curating.ladders import LADDERS, damaged, quality
from muybridge.training.curating.pictures import clean_pictures, photographs
from muybridge.training.self_trained import seeded, trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small

QUALITY_FILE = "quality.safetensors"
TILE_PX = 96
NUM_TILES = 2  # of a picture, in training
STEPS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of a held-out ladder
SHARE_CLEAN, SHARE_TWICE = 0.08, 0.25  # of the examples: undamaged, damaged twice


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityStage:
    """`num_examples` damaged pictures of `num_worlds` renders of each world, photographs and `num_textures`."""

    network: QualityConfig = field(default_factory=QualityConfig)
    num_worlds: int = 120
    num_textures: int = 60
    num_examples: int = 8000
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
        judge = trained(network, task, self, folder, on_step=on_step)
        carry_pristine(judge)
        save_small(judge, folder / QUALITY_FILE, config=self.network, accuracy=task.validate(judge))
        return folder / QUALITY_FILE


class QualityTask:
    """The squared error of the quality; examples are functions of the seed, made once and kept in memory."""

    critic: None = None

    def __init__(self, stage: QualityStage, folder: Path) -> None:
        """folder: where clean pictures are kept, which take longer to render than to read."""
        self.stage, self.folder = stage, folder

    def loss(self, model: QualityNet, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Of the rows of `step` that `micro` names, mirrored at random."""
        shown, wanted = self._examples
        draw = generator(self.stage.run.seed, step, micro, "quality")
        rows = torch.randint(len(wanted), (batch_size,), generator=draw)
        batch = as_tiles(shown[rows])
        if torch.rand((), generator=draw) < 0.5:
            batch = batch.flip(-1)
        error = F.mse_loss(model(batch), wanted[rows])
        return error, {"rmse": float(error.detach()) ** 0.5}

    @torch.no_grad()
    def validate(self, model: QualityNet) -> dict[str, float]:
        """Per family the rank correlation of quality and strength over all held-out pictures, with its sign turned."""
        was_training = model.training
        model.eval()
        figures = {}
        for family, (shown, strengths) in self._ladders.items():
            judged = torch.cat([model(as_tiles(part)) for part in shown.split(64)])
            figures[family] = round(-rank_correlation(judged.numpy(), strengths), 3)
        model.train(was_training)
        return figures | {"worst": min(figures.values())}

    @cached_property
    def _examples(self) -> tuple[Tensor, Float[Tensor, " n"]]:
        """Tiles uint8 (n, k, y, x, 3) and the qualities."""
        clean, seed = self._clean("train", self.stage.num_worlds, self.stage.num_textures), self.stage.run.seed
        shown, wanted = [], []
        for number in range(self.stage.num_examples):
            rng = np.random.default_rng(mix(seed, number, "damage"))
            picture, strengths = clean[int(rng.integers(len(clean)))], _drawn(rng)
            for family, strength in zip(rng.permutation(list(LADDERS)), strengths, strict=False):
                picture = damaged(picture, str(family), strength, seed=mix(seed, number))
            shown.append(tiles(picture, side_px=TILE_PX, count=NUM_TILES))
            wanted.append(quality(strengths))
        return torch.from_numpy(np.stack(shown)), torch.tensor(wanted)

    @cached_property
    def _ladders(self) -> dict[str, tuple[Tensor, np.ndarray]]:
        """Of every family the held-out pictures at all steps, and the strengths."""
        clean = self._clean("held_out", self.stage.num_held_out, self.stage.num_held_out)
        ladders = {}
        for family in LADDERS:
            rungs = [(picture, step) for picture in range(len(clean)) for step in STEPS]
            made = [damaged(clean[picture], family, step, seed=picture) for picture, step in rungs]
            shown = np.stack([tiles(each, side_px=TILE_PX, count=2 * NUM_TILES) for each in made])
            ladders[family] = torch.from_numpy(shown), np.array([step for _, step in rungs])
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


def carry_pristine(network: QualityNet) -> None:
    """Fit what `niqe` compares with to the training photographs, and put it into the network."""
    mean, covariance = pristine([grey(picture) for picture in photographs("train")])
    network.pristine_mean.copy_(torch.from_numpy(mean))
    network.pristine_factor.copy_(torch.from_numpy(_factor(covariance)))


def as_tiles(shown: Tensor) -> Float[Tensor, "b k 3 y x"]:
    """uint8 tiles as the network takes them."""
    return rearrange(shown, "b k y x c -> b k c y x").float() / 127.5 - 1


def rank_correlation(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Spearman's, with equal values sharing their mean rank."""
    return float(np.corrcoef(_ranks(np.asarray(first)), _ranks(np.asarray(second)))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _drawn(rng: np.random.Generator) -> list[float]:
    """The strengths of an example's damages: none, one or two."""
    chance = rng.uniform()
    if chance < SHARE_CLEAN:
        return []
    return [float(each) for each in rng.uniform(0, 1, 2 if chance < SHARE_CLEAN + SHARE_TWICE else 1)]


def _factor(covariance: np.ndarray) -> np.ndarray:
    """The rows of the lower triangle of its Cholesky factor, which stays positive when it is rounded."""
    return np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))[np.tril_indices(len(covariance))]
