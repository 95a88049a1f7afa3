"""Training the judge of damaged pictures on ladders of damage."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.core.seeding import generator, mix, seeded
from muybridge.curation.measures.looks import grey
from muybridge.curation.measures.niqe import pristine
from muybridge.curation.measures.technical import QualityConfig, QualityNet
from muybridge.curation.measures.traces import traces
from muybridge.training.config import RunConfig
from muybridge.training.curating.ladders import LADDERS, damaged, quality
from muybridge.training.curating.pictures import as_filmed, clean_pictures, photographs
from muybridge.training.self_trained import standardise, trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small

QUALITY_FILE = "quality.safetensors"
PART = 250  # ladders that are kept together
RUNGS = 4  # of a training ladder
MIN_PART = 0.7  # of a clean picture's sides that an example shows
STEPS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9)  # of a held-out ladder
SHARE_CLEAN, SHARE_TWICE = 0.5, 0.25  # of the ladders: that begin undamaged, that are damaged by something else too
SHARE_PHOTOGRAPHIC = 0.5  # of the ladders; renders and textures are many more, and less like what is judged
GAINS, SHIFTS = np.arange(0.5, 2.01, 0.05).tolist(), np.arange(-1.5, 1.51, 0.05).tolist()  # of the calibration
WEIGHT_ORDER = 3.0  # of the error of differences along a ladder


@dataclass(frozen=True, kw_only=True, slots=True)
class QualityStage:
    """`num_ladders` of damage to `num_worlds` renders of each world, photographs and `num_textures`."""

    network: QualityConfig = field(default_factory=QualityConfig)
    num_worlds: int = 120
    num_textures: int = 60
    num_ladders: int = 3000
    num_held_out: int = 4  # of each world, and textures
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for name in ("num_worlds", "num_textures", "num_ladders", "num_held_out"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Train in `folder`; the file's accuracy holds the rank correlations of every ladder on held-out pictures."""
        task = QualityTask(self, folder)
        with seeded(self.run.seed):
            network = QualityNet(self.network)
        shown, _ = task.examples
        standardise(shown, mean=network.traces_mean, deviation=network.traces_deviation)
        judge = trained(network, task, self, folder, on_step=on_step)
        calibrate(judge, *task.held_out)
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
        """Of the ladders of `step` that `micro` names: the error of each rung, and of the differences along each."""
        shown, wanted = self.examples
        drawn = generator(self.stage.run.seed, step, micro, "quality")
        rows = torch.randint(len(wanted), (batch_size,), generator=drawn)
        with seeded(mix(self.stage.run.seed, step, micro, "dropout")):  # which draws from the global generator
            error = model(shown[rows].flatten(0, 1)).view(batch_size, RUNGS) - wanted[rows]
        order = error.var(1, correction=0).mean() * 2  # the mean squared error of all pairs' differences
        return error.square().mean() + WEIGHT_ORDER * order, {"rmse": float(error.detach().square().mean()) ** 0.5}

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
    def examples(self) -> tuple[Float[Tensor, "n rungs k"], Float[Tensor, "n rungs"]]:
        """The traces of all training ladders, and their qualities."""
        parts = [self._part(first) for first in range(0, self.stage.num_ladders, PART)]
        shown, wanted = (np.concatenate(each) for each in zip(*parts, strict=True))
        return torch.from_numpy(shown).float(), torch.from_numpy(wanted).float()

    def _part(self, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Some of them, from the folder where they were made before: an interrupted run makes few twice."""
        last = min(first + PART, self.stage.num_ladders)

        def made() -> dict[str, np.ndarray]:
            clean = self._clean("train", self.stage.num_worlds, self.stage.num_textures)
            shown, wanted = zip(*(self._ladder(number, clean) for number in range(first, last)), strict=True)
            return {"shown": np.stack(shown), "wanted": np.array(wanted)}

        kept = _kept(self.folder / f"ladders-{first}.npz", made)
        return kept["shown"], kept["wanted"]

    def _ladder(self, number: int, clean: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """Part of a clean picture as it might be filmed, damaged ever more: the traces, and the qualities left."""
        seed = mix(self.stage.run.seed, number, "damage")
        rng = np.random.default_rng(seed)
        picture = as_filmed(_cut(clean[self._drawn(rng, len(clean))], rng), rng)
        family, other = rng.permutation(list(LADDERS))[:2]
        before = float(rng.uniform()) if rng.uniform() < SHARE_TWICE else 0.0
        picture = damaged(picture, str(other), before, seed=seed)
        strengths = (np.arange(RUNGS) + rng.uniform(size=RUNGS)) / RUNGS
        strengths[0] *= rng.uniform() >= SHARE_CLEAN
        rungs = [damaged(picture, str(family), float(strength), seed=seed) for strength in strengths]
        return np.stack([traces(each) for each in rungs]), [quality([before, each]) for each in strengths.tolist()]

    def _drawn(self, rng: np.random.Generator, count: int) -> int:
        """The number of a clean picture: renders come first, textures last, photographs between them."""
        first, last = 2 * self.stage.num_worlds, count - self.stage.num_textures
        is_photographic = first < last and rng.uniform() < SHARE_PHOTOGRAPHIC
        return int(rng.integers(first, last) if is_photographic else rng.integers(count))

    @property
    def held_out(self) -> tuple[Float[Tensor, "n k"], Float[Tensor, " n"]]:
        """The traces of all held-out ladders, and their qualities."""
        shown, strengths = zip(*self._ladders.values(), strict=True)
        return torch.cat(shown), 1 - torch.from_numpy(np.concatenate(strengths)).float()

    @cached_property
    def _ladders(self) -> dict[str, tuple[Tensor, np.ndarray]]:
        """Of every family the traces of the held-out pictures at all steps, and the strengths."""

        def made() -> dict[str, np.ndarray]:
            clean = self._clean("held_out", self.stage.num_held_out, self.stage.num_held_out)
            rungs = [(number, step) for number in range(len(clean)) for step in STEPS]
            return {
                family: np.stack([traces(damaged(clean[number], family, step, seed=number)) for number, step in rungs])
                for family in LADDERS
            }

        kept = _kept(self.folder / f"held_out-ladders-{self.stage.num_held_out}.npz", made)
        count = len(kept["blur"]) // len(STEPS)
        return {family: (torch.from_numpy(kept[family]).float(), np.tile(STEPS, count)) for family in LADDERS}

    def _clean(self, split: str, num_worlds: int, num_textures: int) -> np.ndarray:
        """The clean pictures (n, y, x, 3), from the folder where they were made before."""

        def made() -> dict[str, np.ndarray]:
            chosen = "train" if split == "train" else "held_out"
            return {"clean": np.stack(list(clean_pictures(chosen, num_worlds=num_worlds, num_textures=num_textures)))}

        return _kept(self.folder / f"{split}-{num_worlds}-{num_textures}.npz", made)["clean"]


def _kept(path: Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The arrays of a file, made first where it is not there."""
    if not path.exists():
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.savez(file, **make())  # type: ignore[arg-type]
    with np.load(path) as kept:
        return dict(kept)


@torch.no_grad()
def calibrate(network: QualityNet, shown: Float[Tensor, "n k"], wanted: Float[Tensor, " n"]) -> None:
    """Set the gain and the shift, among those of a grid, with which its qualities are spread as `wanted` are.

    The nearest ones, pair by pair, would be shrunk towards the middle by every picture that is judged wrongly.
    """
    network.calibration.copy_(torch.tensor([1.0, 0.0]))
    logits = torch.logit(network(shown).double(), eps=1e-6)
    pairs = [(gain, shift) for gain in GAINS for shift in SHIFTS]
    logits, aims = logits.sort().values, wanted.double().sort().values
    errors = [float((torch.sigmoid(gain * logits + shift) - aims).square().mean()) for gain, shift in pairs]
    network.calibration.copy_(torch.tensor(pairs[int(np.argmin(errors))]))


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


def _factor(covariance: np.ndarray) -> np.ndarray:
    """The rows of the lower triangle of its Cholesky factor, which stays positive when it is rounded."""
    return np.linalg.cholesky(covariance + 1e-6 * np.eye(len(covariance)))[np.tril_indices(len(covariance))]
