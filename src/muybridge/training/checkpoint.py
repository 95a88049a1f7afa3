"""Training state as torch DCP folders: written beside, then renamed, so that a kill leaves the previous one whole."""

import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp

from muybridge.core.errors import RunFailed
from muybridge.training.settings import RunSettings

KEPT = 2


def save(folder: Path, step: int, state: dict[str, Any], *, settings: RunSettings) -> Path:
    """Write `state` as `folder/step-N`; keeps the last two."""
    folder.mkdir(parents=True, exist_ok=True)
    target, temporary = folder / f"step-{step:07d}", folder / f".step-{step:07d}.{os.getpid()}"
    with _single_process():
        dcp.save(state, checkpoint_id=temporary, no_dist=True)
    settings.save(temporary / "run.json")
    if target.exists():
        shutil.rmtree(target)
    os.replace(temporary, target)
    for old in _finished(folder)[:-KEPT]:
        shutil.rmtree(old)
    for stale in folder.glob(".step-*"):
        shutil.rmtree(stale, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """The newest finished checkpoint, or None."""
    finished = _finished(folder)
    return finished[-1] if finished else None


def load(target: Path, state: dict[str, Any], *, settings: RunSettings) -> None:
    """Fill `state` in place. Raises RunFailed where the run's settings changed since."""
    if changed := settings.changed_since(target / "run.json"):
        raise RunFailed(
            f"{target}: was trained with other settings ({', '.join(changed)}); "
            "repeat the first command, or choose a new --out to start afresh."
        )
    with _single_process():
        dcp.load(state, checkpoint_id=target, no_dist=True)


@contextmanager
def _single_process() -> Iterator[None]:
    """DCP warns that it runs in one process even when told so."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _finished(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
