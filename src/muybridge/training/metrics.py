"""Where a run's figures go: metrics.jsonl always, TensorBoard where installed, Weights & Biases when asked for."""

import hashlib
import importlib
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from muybridge.core.errors import MissingExtra
from muybridge.core.files import atomic_path
from muybridge.training.config import Tracker

logger = logging.getLogger(__name__)
Figures = dict[str, float]


class Sink(Protocol):
    """Takes the figures of a step."""

    def record(self, step: int, figures: Figures) -> None:
        """Keep the figures of the run after `step` steps."""
        ...

    def close(self) -> None:
        """Write what is not written yet."""
        ...


class JsonLines:
    """One JSON object a line, in the order of steps: {"time": ..., "step": ..., figures}."""

    def __init__(self, path: Path, first_step: int):
        """Figures of steps after `first_step`, where the run goes on, are dropped: it comes by them again."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            _keep_until(path, first_step)

    def record(self, step: int, figures: Figures) -> None:
        """Append a line."""
        with self.path.open("a") as file:
            file.write(json.dumps({"time": round(time.time(), 1), "step": step, **figures}) + "\n")

    def close(self) -> None:
        """Nothing: every line is on its way when it is recorded."""


class TensorBoard:
    """Event files for `tensorboard --logdir`."""

    def __init__(self, folder: Path, first_step: int, module: ModuleType):
        self.writer: Any = module.SummaryWriter(str(folder), purge_step=first_step + 1)

    def record(self, step: int, figures: Figures) -> None:
        """One scalar a figure."""
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close the event file."""
        self.writer.close()


class WandB:
    """A run of Weights & Biases; it goes offline by its own settings where there is no network."""

    def __init__(self, folder: Path, module: ModuleType):
        identity = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]  # the same folder is the same run
        self.run: Any = module.init(project="muybridge", name=folder.name, dir=str(folder), id=identity, resume="allow")

    def record(self, step: int, figures: Figures) -> None:
        """One point a figure."""
        self.run.log(figures, step=step)

    def close(self) -> None:
        """Send what is left."""
        self.run.finish()


def open_sinks(folder: Path, trackers: Sequence[Tracker], *, first_step: int) -> list[Sink]:
    """The sinks of a run in `folder` that goes on after `first_step` steps.

    TensorBoard is passed over where it is not installed. Raises MissingExtra for another tracker that is not.
    """
    sinks: list[Sink] = [JsonLines(folder / "metrics.jsonl", first_step)]
    if "tensorboard" in trackers:
        try:
            module = importlib.import_module("torch.utils.tensorboard")
            sinks.append(TensorBoard(folder / "tensorboard", first_step, module))
        except ImportError:
            logger.info("tensorboard is not installed; figures go to metrics.jsonl alone")
    if "wandb" in trackers:
        try:
            sinks.append(WandB(folder, importlib.import_module("wandb")))
        except ImportError:
            raise MissingExtra("run.trackers=wandb: wandb is not installed; pip install 'muybridge[wandb]'.") from None
    return sinks


def _keep_until(path: Path, last_step: int) -> None:
    """Drop the lines after `last_step`, and one that a kill cut short."""
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= last_step]
    if len(kept) < len(lines):
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept))
