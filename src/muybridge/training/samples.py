"""What a model makes while it is trained, as contact sheets."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from muybridge.media.sheet import contact_sheet
from muybridge.training.task import Sampling

COLUMNS = 5


@torch.no_grad()
def write_samples(task: Sampling[Any], model: nn.Module, folder: Path, *, step: int) -> list[Path]:
    """Sheets `folder`/step-N-WIDTHxHEIGHT.png of the task's films, each under its name; one sheet for each size.

    Nothing is recorded for a backward pass and training's gradients are gone by then, so a task that makes its films
    one after another stays below the memory of a training step.
    """
    by_size: dict[tuple[int, int], list[tuple[str, np.ndarray]]] = defaultdict(list)
    for name, films in task.samples(model).items():
        for film in films:
            by_size[film.shape[2], film.shape[1]].append((name, film))
    paths = []
    for (width, height), named in by_size.items():
        labels, films = zip(*named, strict=True)
        paths.append(folder / f"step-{step:07d}-{width}x{height}.png")
        folder.mkdir(parents=True, exist_ok=True)
        contact_sheet(films, labels=labels, columns=min(COLUMNS, *map(len, films)), path=paths[-1])
    return paths
