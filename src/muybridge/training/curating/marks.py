"""Training of the detector of marks, on marks pasted over films without."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from muybridge.core.seeding import generator, seeded
from muybridge.curation.marks.detect import marks_of
from muybridge.curation.marks.network import KINDS, MarkConfig, MarkDetector, places
from muybridge.curation.marks.summary import NUM_COLOURS
from muybridge.evaluation.precision import Detection, average_precision, mean_average_precision
from muybridge.training.config import RunConfig
from muybridge.training.curating.mark_assignment import NO_MARK, Wanted, mark_loss
from muybridge.training.curating.mark_samples import MarkSamples, MarkSamplesConfig, mark_samples
from muybridge.training.self_trained import trained
from muybridge.training.trainer import OnStep
from muybridge.weights.small import save_small

MARKS_FILE, SAMPLES = "marks.safetensors", "samples"
MIN_SCORE = 0.01  # of what is ranked for the average precision
SMALL = 0.625  # of the side, at which training begins: a step costs two fifths
LOUDNESS = (0.75, 1.25)  # of contrast


class MarkTask:
    """The detector's loss on rows of one shape a step, mirrored and recoloured by chance: functions of (seed, step)."""

    critic: None = None

    def __init__(
        self, train: Sequence[MarkSamples], held_out: Sequence[MarkSamples], *, seed: int, num_small_steps: int = 0,
        num_micro_batches: int = 1,
    ) -> None:  # fmt: skip
        """Samples of each shape, to learn from and to validate on; the first steps see them smaller."""
        self.num_small_steps = num_small_steps
        self.train, self.held_out, self.seed, self.num_micro_batches = train, held_out, seed, num_micro_batches

    def loss(
        self, model: MarkDetector, step: int, *, batch_size: int, micro: int = 0
    ) -> tuple[Tensor, dict[str, float]]:
        """See `mark_loss`."""
        samples = self.train[step % len(self.train)]
        draw = generator(self.seed, step, "marks")
        whole = torch.randint(len(samples.planes), (batch_size * self.num_micro_batches,), generator=draw)
        rows = whole[micro * batch_size : (micro + 1) * batch_size]
        scale = SMALL if step < self.num_small_steps else 1.0
        planes, wanted = varied(
            *samples.batch(rows.tolist(), scale=scale), inside=round(samples.planes.shape[3] * scale),
            draw=generator(self.seed, step, micro, "varied"),
        )  # fmt: skip
        middles, strides = places(*planes.shape[2:])
        return mark_loss(model(planes), wanted, middles=middles, strides=strides)

    @torch.no_grad()
    def validate(self, model: MarkDetector) -> dict[str, float]:
        """Average precision at an overlap of a half, of each kind and their mean; on pictures of one frame, too."""
        was_training = model.training
        model.eval()
        found, true, still, first = list[Detection](), list[Detection](), set[int](), 0
        for samples in self.held_out:
            planes, boxes, kinds = samples.batch(range(len(samples.planes)))
            still |= {first + row for row in torch.nonzero(planes[:, -1].amax((1, 2)) > 0)[:, 0].tolist()}
            found += _found(model, planes, first)
            true += _true(boxes, kinds, first)
            first += len(planes)
        model.train(was_training)
        figures = {f"{kind}_ap50": average_precision(found, true, kind=kind) for kind in KINDS}
        stills = [[one for one in those if one.picture in still] for those in (found, true)]
        figures["map50"] = mean_average_precision(found, true)
        return figures | {"map50_of_pictures": mean_average_precision(*stills) if stills[1] else float("nan")}


def _found(model: MarkDetector, planes: Tensor, first: int) -> list[Detection]:
    marks = [marks_of(model(part), min_score=MIN_SCORE) for part in planes.split(16)]
    pictures = [picture for batch in marks for picture in batch]
    return [
        Detection(picture=first + row, kind=mark.kind, box=mark.box, score=mark.score)
        for row, those in enumerate(pictures)
        for mark in those
    ]


def _true(boxes: Tensor, kinds: Tensor, first: int) -> list[Detection]:
    rows, columns = torch.nonzero(kinds != NO_MARK, as_tuple=True)
    return [
        Detection(picture=first + row, kind=KINDS[int(kinds[row, column])], box=tuple(boxes[row, column].tolist()))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def varied(
    planes: Tensor, boxes: Tensor, kinds: Tensor, *, inside: int, draw: torch.Generator
) -> tuple[Tensor, Wanted]:
    """Half of the rows mirrored within their first `inside` columns, which are no padding; colours exchanged."""
    planes, boxes = planes.clone(), boxes.clone()
    mirrored = torch.nonzero(torch.rand(len(planes), generator=draw) < 0.5)[:, 0]
    planes[mirrored] = torch.cat([planes[mirrored][..., :inside].flip(3), planes[mirrored][..., inside:]], dim=3)
    planes[mirrored, NUM_COLOURS] *= -1
    left, right = boxes[mirrored, :, 0].clone(), boxes[mirrored, :, 2].clone()
    boxes[mirrored, :, 0], boxes[mirrored, :, 2] = inside - right, inside - left
    for row in range(len(planes)):
        order = torch.randperm(NUM_COLOURS, generator=draw)
        contrast = LOUDNESS[0] + (LOUDNESS[1] - LOUDNESS[0]) * float(torch.rand((), generator=draw))
        planes[row, :NUM_COLOURS] = planes[row, order] * contrast
    return planes, Wanted(boxes, kinds)


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkStage:
    """Training of a detector of marks on films made for it."""

    network: MarkConfig = field(default_factory=MarkConfig)
    samples: MarkSamplesConfig = field(default_factory=MarkSamplesConfig)
    num_small_steps: int = 0  # the first, that see films of 160 px instead of 256
    run: RunConfig = field(default_factory=RunConfig)

    def train(self, folder: Path, *, on_step: OnStep | None = None) -> Path:
        """Make the films where they are missing, train or continue; the file of the averaged weights."""
        train = mark_samples(self.samples, "train", folder / SAMPLES)
        held_out = mark_samples(self.samples, "held_out", folder / SAMPLES)
        task = MarkTask(
            train, held_out, seed=self.run.seed, num_small_steps=self.num_small_steps,
            num_micro_batches=self.run.num_micro_batches,
        )  # fmt: skip
        with seeded(self.run.seed):
            network = MarkDetector(self.network)
        averaged = trained(network, task, self, folder, on_step=on_step)
        target = folder / MARKS_FILE
        save_small(averaged, target, config=self.network, accuracy=task.validate(averaged))
        return target
