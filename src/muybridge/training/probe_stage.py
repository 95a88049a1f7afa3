"""The stage that trains a world's probe, by the same trainer as the models that it judges."""

from dataclasses import dataclass, field
from pathlib import Path

from muybridge.core.seeding import seeded
from muybridge.data.world import World
from muybridge.evaluation.probes import ClipProbe, ProbeConfig
from muybridge.training.config import RunConfig
from muybridge.training.settings import settings_of
from muybridge.training.tasks.probing import ProbeTask
from muybridge.training.trainer import OnStep, Trainer
from muybridge.weights.small import save_small

PROBE_FILE = "probe.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeStage:
    """Training of a probe on rendered clips of `num_frames`."""

    probe: ProbeConfig
    num_frames: int = 17
    num_scenes: int = 8192  # distinct ones, drawn in a balanced way
    num_held_out: int = 200
    run: RunConfig = field(default_factory=RunConfig)


def train_probe(stage: ProbeStage, folder: Path, *, world: World, on_step: OnStep | None = None) -> Path:
    """Train a probe; the file of its averaged weights, with its accuracy on held-out combinations in the metadata."""
    task = ProbeTask(
        world=world, probe=stage.probe, num_frames=stage.num_frames, num_scenes=stage.num_scenes,
        num_held_out=stage.num_held_out, seed=stage.run.seed, num_micro_batches=stage.run.num_micro_batches,
    )  # fmt: skip
    with seeded(stage.run.seed):
        model = ClipProbe(stage.probe)
    averaged = Trainer(model, task, stage.run, folder=folder, settings=settings_of(stage)).run(on_step)
    target = folder / PROBE_FILE
    save_small(averaged, target, config=stage.probe, accuracy=task.validate(averaged))
    return target
