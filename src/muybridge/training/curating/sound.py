"""Training the network that tells speech, music and effects apart, on sounds that are made for it."""

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
from muybridge.core.seeding import generator, mix, seeded
from muybridge.curation.sound.features import features
from muybridge.curation.sound.network import CLASSES, SoundConfig, SoundNet
from muybridge.curation.sound.spectrum import power
from muybridge.media.sound import Sound
from muybridge.training.config import RunConfig
from muybridge.training.curating.sound_mixing import mixed, presence
from muybridge.training.curating.sound_shapes import RATE_HZ, Wave
from muybridge.training.curating.sound_voices import sentences
from muybridge.training.self_trained import standardise, trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small

SOUND_FILE = "sound.safetensors"
PART = 250  # sounds that are kept together
HELD_OUT = 10**6  # numbers of held-out sounds start here; the voice is the same, what it says is not

Rows = tuple[Float[Tensor, "n k"], Float[Tensor, "n 3"], Float[Tensor, "n 3"]]  # features, what is there, weight


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundStage:
    """`num_sounds` of three seconds are drawn, of speech of `num_sentences` that are said once."""

    network: SoundConfig = field(default_factory=SoundConfig)
    num_sounds: int = 1500
    num_held_out: int = 150
    num_sentences: int = 24
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for name in ("num_sounds", "num_held_out", "num_sentences"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "raise it")

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Train in `folder`; the file's accuracy holds each class's F1 on held-out sounds. Raises AssetError."""
        task = SoundTask(self, folder)
        with seeded(self.run.seed):
            network = SoundNet(self.network)
        shown = task.examples[0]
        standardise(shown, mean=network.features_mean, deviation=network.features_deviation)
        ears = trained(network, task, self, folder, on_step=on_step)
        save_small(ears, folder / SOUND_FILE, config=self.network, accuracy=task.validate(ears))
        return folder / SOUND_FILE


class SoundTask:
    """Cross entropy of each class; sounds are functions of the seed, made once, their features kept."""

    critic: None = None

    def __init__(self, stage: SoundStage, folder: Path) -> None:
        self.stage, self.folder = stage, folder

    def loss(self, model: SoundNet, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Of the seconds of `step` that `micro` names."""
        shown, wanted, weights = self.examples
        rows = torch.randint(len(wanted), (batch_size,), generator=generator(self.stage.run.seed, step, micro, "sound"))
        with seeded(mix(self.stage.run.seed, step, micro, "dropout")):  # which draws from the global generator
            said = model(shown[rows])
        error = F.binary_cross_entropy_with_logits(said, wanted[rows], weight=weights[rows])
        return error, {"error": float(error.detach())}

    @torch.no_grad()
    def validate(self, model: SoundNet) -> dict[str, float]:
        """F1 of each class at even odds, over the seconds where it is plain whether it is there."""
        was_training = model.training
        model.eval()
        shown, wanted, weights = self._held_out
        said = model(shown) > 0
        model.train(was_training)
        figures = {}
        for number, name in enumerate(CLASSES):
            is_plain = weights[:, number] > 0
            found, there = said[is_plain, number], wanted[is_plain, number] > 0
            hits = float((found & there).sum())
            figures[name] = round(2 * hits / max(1.0, float(found.sum() + there.sum())), 3)
        return figures

    @cached_property
    def examples(self) -> Rows:
        """Of all training sounds."""
        return self._rows(range(self.stage.num_sounds))

    @cached_property
    def _held_out(self) -> Rows:
        return self._rows(range(HELD_OUT, HELD_OUT + self.stage.num_held_out))

    def _rows(self, numbers: range) -> Rows:
        parts = [self._part(numbers[first : first + PART]) for first in range(0, len(numbers), PART)]
        shown, wanted, weights = (torch.from_numpy(np.concatenate(each)).float() for each in zip(*parts, strict=True))
        return shown, wanted, weights

    def _part(self, numbers: range) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """From the folder where they were made before: an interrupted run makes few twice."""
        path = self.folder / f"sounds-{numbers.start}-{len(numbers)}.npz"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            made = [self._example(number) for number in numbers]
            shown, wanted, weights = (np.concatenate(each) for each in zip(*made, strict=True))
            with atomic_path(path) as partial, partial.open("wb") as file:
                np.savez(file, shown=shown, wanted=wanted, weights=weights)
        with np.load(path) as kept:
            return kept["shown"], kept["wanted"], kept["weights"]

    def _example(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The features of a mixture's seconds, the classes in them, and where that is plain."""
        seed = mix(self.stage.run.seed, number, "mixture")
        whole, parts = mixed(np.random.default_rng(seed), self._said(number))
        spectra = power(Sound(samples=whole[None].astype(np.float32), rate_hz=RATE_HZ))
        return features(spectra).astype(np.float16), *presence(whole, parts)

    def _said(self, number: int) -> list[Wave]:
        """Held-out sounds have the last tenth of the sentences, the others the rest."""
        last = len(self._sentences) - max(1, len(self._sentences) // 10)
        return self._sentences[last:] if number >= HELD_OUT else self._sentences[:last] or self._sentences

    @cached_property
    def _sentences(self) -> list[Wave]:
        path = self.folder / f"sentences-{self.stage.num_sentences}.npz"
        if not path.exists():
            said = sentences(self.stage.num_sentences, seed=self.stage.run.seed)
            with atomic_path(path) as partial, partial.open("wb") as file:
                np.savez(file, *[wave.astype(np.float16) for wave in said])
        with np.load(path) as kept:
            return [kept[f"arr_{number}"].astype(np.float64) for number in range(len(kept.files))]
