"""Training the namer of camera movements on the flow of the worlds' clips."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from muybridge.captioning.camera_features import features
from muybridge.captioning.camera_flow import CellFlow, FlowFilms, views
from muybridge.captioning.camera_network import CameraConfig, CameraNet, logits
from muybridge.core.seeding import generator, mix, seeded
from muybridge.evaluation.classes import calibration_error, macro_f1
from muybridge.training.config import RunConfig
from muybridge.training.curating.camera_films import WORLDS, CameraFilms, CameraFilmsConfig, NamedFilms
from muybridge.training.self_trained import trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small
from muybridge.worlds.movements import MOVEMENTS

CAMERA_FILE, FILMS = "camera.safetensors", "cells"
NUM_COPIES = 3  # of each clip, the first as it is
PACED_SHARE, SLOWEST, FASTEST = 0.5, 0.4, 1.6  # of the varied copies; times as fast
PASSER_SHARE = 0.35  # of the varied copies, in which something passes
PASSER_SPEED, PASSER_GROWTH = (0.05, 0.8), 0.8  # short sides and sizes a second
PASSER_RADIUS, PASSER_TEXTURE = (0.06, 0.36), 25.0  # of the frame; levels
CHUNK = 512  # clips whose features are found at once
TEMPERATURES = (0.3, 4.0, 60)  # from, to, by how many equal ratios
SMOOTHING = 0.05  # of the labels


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraStage:
    """Training of a network that names camera movements on clips made for it."""

    network: CameraConfig = field(default_factory=CameraConfig)
    films: CameraFilmsConfig = field(default_factory=CameraFilmsConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Make the clips where they are missing, train or continue; the file of the averaged weights."""
        (folder / FILMS).mkdir(parents=True, exist_ok=True)
        films = CameraFilms(self.films, folder / FILMS)
        task = CameraTask(films.train(), films.held_out(), seed=self.run.seed)
        with seeded(self.run.seed):
            network = CameraNet(self.network)
        shown, _ = task.examples
        network.mean.copy_(shown.mean(0))
        network.deviation.copy_(shown.std(0) + 1e-3)
        namer = trained(network, task, self, folder, on_step=on_step)
        calibration = films.calibration()
        namer.temperature.fill_(best_temperature(logits(namer.eval(), calibration.films), calibration.movements))
        save_small(namer, folder / CAMERA_FILE, config=self.network, accuracy=task.validate(namer))
        return folder / CAMERA_FILE


class CameraTask:
    """Cross-entropy of the movement, on the four views of each clip and its variations: functions of (seed, step)."""

    critic: None = None

    def __init__(self, train: NamedFilms, held_out: NamedFilms, *, seed: int) -> None:
        """Clips to learn from and to validate on."""
        self.train, self.held_out, self.seed = train, held_out, seed

    def loss(self, model: CameraNet, step: int, *, batch_size: int, micro: int = 0) -> tuple[Tensor, dict[str, float]]:
        """Of the rows of `step` that `micro` names."""
        shown, movements = self.examples
        rows = torch.randint(len(shown), (batch_size,), generator=generator(self.seed, step, micro, "camera"))
        with seeded(mix(self.seed, step, micro, "dropout")):  # which draws from the global generator
            found = model(shown[rows])
        error = F.cross_entropy(found, movements[rows], label_smoothing=SMOOTHING)
        return error, {"accuracy": float((found.argmax(1) == movements[rows]).float().mean())}

    @cached_property
    def examples(self) -> tuple[Float[Tensor, "n k"], Int[Tensor, " n"]]:
        """Features and movements: every clip as it is and varied, each in its four views."""
        shown, movements = list[Tensor](), list[Tensor]()
        for number, first in enumerate(range(0, len(self.train.movements), CHUNK)):
            rows = slice(first, first + CHUNK)
            films, named = self.train.films.rows(rows), self.train.movements[rows]
            for copy in range(NUM_COPIES):
                varied = _varied(films, self.seed, NUM_COPIES * number + copy) if copy else films
                for film, order in views(varied):
                    shown.append(features(film))
                    movements.append(torch.tensor(order)[named])
        return torch.cat(shown), torch.cat(movements)

    @torch.no_grad()
    def validate(self, model: CameraNet) -> dict[str, float]:
        """Macro-F1 over the movements and calibration error of all held-out clips, and macro-F1 in each world."""
        was_training = model.training
        model.eval()
        chances = torch.softmax(logits(model, self.held_out.films) / model.temperature, dim=1)
        model.train(was_training)
        named, truth = chances.argmax(1), self.held_out.movements
        figures = {"macro_f1": macro_f1(named, truth, num_classes=len(MOVEMENTS))}
        for world in sorted(set(WORLDS)):
            rows = torch.tensor([WORLDS[number] == world for number in self.held_out.worlds.tolist()])
            if bool(rows.any()):
                figures[f"macro_f1_{world}"] = macro_f1(named[rows], truth[rows], num_classes=len(MOVEMENTS))
        confidence = chances.amax(1)
        figures["calibration_error"] = calibration_error(confidence, named == truth)
        return {name: round(value, 4) for name, value in figures.items()}


def best_temperature(found: Float[Tensor, "n m"], movements: Int[Tensor, " n"]) -> float:
    """What logits are divided by so that held-out movements are likeliest (Guo et al. 2017)."""
    first, last, count = TEMPERATURES
    tried = [first * (last / first) ** (number / (count - 1)) for number in range(count)]
    return min(tried, key=lambda temperature: float(F.cross_entropy(found / temperature, movements)))


def _varied(films: FlowFilms, seed: int, copy: int) -> FlowFilms:
    """Half of the clips at a pace of their own, something passing through some of them."""
    drawn = torch.rand(len(films.extent), 10, generator=generator(seed, copy, "varied"))
    pace = torch.where(drawn[:, 0] < PACED_SHARE, SLOWEST * (FASTEST / SLOWEST) ** drawn[:, 1], 1.0)
    return films.scaled(pace).each(lambda flow: _with_passer(flow, drawn[:, 2:]))


def _with_passer(flow: CellFlow, drawn: Float[Tensor, "b 8"]) -> CellFlow:
    """Over the flow of some clips a disc that moves of its own, coming nearer or going away."""
    num_pairs, grid = flow.texture.shape[1:3]
    speed = PASSER_SPEED[0] * (PASSER_SPEED[1] / PASSER_SPEED[0]) ** drawn[:, 0]
    angle = 2 * torch.pi * drawn[:, 1]
    way = speed[:, None] * torch.stack([torch.cos(angle), torch.sin(angle)], dim=1)
    time_s = (torch.arange(num_pairs) / num_pairs - drawn[:, 2, None])[..., None] * 1.5
    middle = drawn[:, None, 3:5] + way[:, None] * time_s
    steps = (torch.arange(grid) + 0.5) / grid
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    cells = torch.stack([columns, rows], dim=-1)
    radius = PASSER_RADIUS[0] + (PASSER_RADIUS[1] - PASSER_RADIUS[0]) * drawn[:, 5]
    place = cells - middle[:, :, None, None]
    inside = place.norm(dim=-1) < radius[:, None, None, None]
    inside &= (drawn[:, 6] < PASSER_SHARE)[:, None, None, None]
    growth = PASSER_GROWTH * (2 * drawn[:, 7] - 1)
    own = way[:, None, None, None] + growth[:, None, None, None, None] * place
    return replace(
        flow, speeds=flow.speeds + inside[..., None] * own,
        texture=torch.where(inside, flow.texture.clamp_min(PASSER_TEXTURE), flow.texture),
        standing=torch.where(inside, flow.standing / 2, flow.standing),
    )  # fmt: skip
