"""Films that a model makes of held-out captions, each kept in a file: a benchmark goes on where it was left."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import muybridge
from muybridge.core.files import atomic_path
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesWorld

CHUNK = 8  # films that are made at once
CANDIDATES = 6000

Films = Sequence[np.ndarray]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How films are sampled; None is the model's own."""

    steps: int | None = None
    cfg: float | None = None
    shift: float | None = None
    sampler: str | None = None

    def __str__(self) -> str:
        given = [f"{name} {value}" for name, value in asdict(self).items() if value is not None]
        return ", ".join(given) or "the model's own"


def spread_scenes(world: SpritesWorld, num: int) -> list[Scene]:
    """Held-out scenes in turns over the subjects, and for each subject in turns over the cameras.

    The first of more scenes are those of fewer, so a larger number goes on with the films that there are.
    """
    queues: dict[tuple[str, str], list[Scene]] = {}
    for index in range(CANDIDATES):
        scene = world.scene(index, split="held_out")
        queues.setdefault((scene.subject, scene.camera), []).append(scene)
    names = [subject.name for subject in world.subjects]
    cameras = sorted({camera for _, camera in queues})
    chosen: list[Scene] = []
    for turn in range(num):
        subject = names[turn % len(names)]
        for offset in range(len(cameras)):
            queue = queues.get((subject, cameras[(turn // len(names) + names.index(subject) + offset) % len(cameras)]))
            if queue:
                chosen.append(queue.pop(0))
                break
    return chosen


def made_films(
    pipe: muybridge.Pipeline, prompts: Sequence[str], seeds: Sequence[int], *, folder: Path, sampling: Sampling
) -> list[np.ndarray]:
    """The films of the prompts; those in `folder` are read, the others made and kept as soon as their chunk is done.

    A file's name comes of the weights, the sampling, the prompt and the seed, so a folder can hold those of several.
    """
    paths = [
        folder / f"{seed:04d}-{_identity(pipe, prompt, seed, sampling)}.npz"
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        films = pipe([prompts[index] for index in chunk], seed=[seeds[index] for index in chunk], **asdict(sampling))
        for index, film in zip(chunk, films, strict=True):
            with atomic_path(paths[index]) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, pixels=film.pixels)
        done = len(paths) - len(missing) + start + len(chunk)
        print(f"{done} of {len(paths)} films ({sampling})", file=sys.stderr, flush=True)
    return [np.load(path)["pixels"] for path in paths]


def _identity(pipe: muybridge.Pipeline, prompt: str, seed: int, sampling: Sampling) -> str:
    defaults = pipe.components.defaults
    chosen = {
        name: getattr(defaults, name) if value is None else value for name, value in asdict(sampling).items()
    }  # fmt: skip
    words = [dict(pipe.components.weights), chosen, prompt, seed]
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]
