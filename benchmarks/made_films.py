"""What a model makes of held-out captions, its latents kept in files: a benchmark goes on where it was left.

Latents, because sampling them takes the time: another decoder of the same latents is judged on them in seconds.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import muybridge
from muybridge.core.files import atomic_path
from muybridge.media.frames import to_uint8
from muybridge.vae.steady import steadied
from muybridge.worlds.scene import Scene
from muybridge.worlds.sprites import SpritesWorld

CHUNK = 8  # films that are made at once
CANDIDATES = 6000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How latents are sampled; None is the model's own."""

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


def made_latents(
    pipe: muybridge.Pipeline,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    folder: Path,
    sampling: Sampling | None = None,
) -> list[Tensor]:
    """Latents (c, t, h, w) of the prompts; those in `folder` are read, the others made and kept chunk by chunk.

    A file's name comes of the transformer, the sampling, the prompt and the seed, so one folder serves all.
    """
    sampling = sampling or Sampling()
    paths = [
        folder / f"{seed:04d}-{_identity(pipe, prompt, seed, sampling)}.safetensors"
        for prompt, seed in zip(prompts, seeds, strict=True)
    ]
    missing = [index for index, path in enumerate(paths) if not path.exists()]
    for start in range(0, len(missing), CHUNK):
        chunk = missing[start : start + CHUNK]
        films = pipe([prompts[index] for index in chunk], seed=[seeds[index] for index in chunk], **asdict(sampling))
        for index, film in zip(chunk, films, strict=True):
            with atomic_path(paths[index]) as temporary:
                save_file({"latents": film.latents}, temporary)
        done = len(paths) - len(missing) + start + len(chunk)
        print(f"{done} of {len(paths)} films ({sampling})", file=sys.stderr, flush=True)
    return [load_file(path)["latents"] for path in paths]


@torch.inference_mode()
def decoded(pipe: muybridge.Pipeline, latents: Sequence[Tensor], *, steady: float) -> Iterator[np.ndarray]:
    """The films of latents, as the pipeline finishes them."""
    for film in latents:
        yield to_uint8(steadied(pipe.decode(film[None]), steady)[0])


def _identity(pipe: muybridge.Pipeline, prompt: str, seed: int, sampling: Sampling) -> str:
    defaults = pipe.components.defaults
    chosen = {
        name: getattr(defaults, name) if value is None else value for name, value in asdict(sampling).items()
    }  # fmt: skip
    words = [pipe.components.weights["transformer"], chosen, prompt, seed]
    return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()[:16]
