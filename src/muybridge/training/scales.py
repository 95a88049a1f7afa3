"""Mixed scales: pictures and films of several sizes and lengths in one run, each with its own batch.   Paper 4.5.2."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from muybridge.core.errors import invalid
from muybridge.core.seeding import generator
from muybridge.core.shapes import latent_frames
from muybridge.data.cache import LatentBatch, LatentCache

CYCLE_STEPS = 20  # within which every scale comes up as often as its share says, to the nearest step


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """One kind of batch: its size, its length (1 frame: pictures), its rows, and how often it comes up."""

    size_px: int
    num_frames: int = 17
    batch_size: int = 16
    share: float = 1.0  # of the steps, against the other scales' shares

    def __post_init__(self) -> None:
        latent_frames(self.num_frames)  # refuses what is not 4n+1
        if self.batch_size < 1 or not 0 < self.share < math.inf:
            given = f"batch_size={self.batch_size}, share={self.share}"
            raise invalid(given, "a scale has rows and comes up", "use 16 rows and a share of 1")


def turns_of(scales: Sequence[Scale]) -> list[int]:
    """How many of `CYCLE_STEPS` steps each scale gets: at least one, by largest remainder of its share.

    Raises InvalidInput on more scales than the cycle has steps, or none.
    """
    if not 1 <= len(scales) <= CYCLE_STEPS:
        raise invalid(f"{len(scales)} scales", f"a run mixes 1 to {CYCLE_STEPS}", "leave some out")
    total = sum(scale.share for scale in scales)
    free = CYCLE_STEPS - len(scales)
    exact = [max(scale.share / total * CYCLE_STEPS - 1, 0.0) for scale in scales]
    exact = [value * free / max(sum(exact), 1e-9) for value in exact]
    turns = [1 + math.floor(value) for value in exact]
    by_remainder = sorted(range(len(scales)), key=lambda i: exact[i] - math.floor(exact[i]), reverse=True)
    for i in by_remainder[: CYCLE_STEPS - sum(turns)]:
        turns[i] += 1
    return turns


class ScaledLatents:
    """Batches that take turns over scales; each scale goes through its samples in its own order, none left out."""

    def __init__(self, caches: Mapping[int, LatentCache], scales: tuple[Scale, ...]) -> None:
        """caches: by size in px. Films shorter than the cache's are its beginnings, which a frame-causal VAE encodes
        alike. Raises InvalidInput on a scale that the caches do not hold.
        """
        for scale in scales:
            wanted, held = latent_frames(scale.num_frames), caches[scale.size_px].latents.shape[2]
            if wanted > held:
                given = f"num_frames={scale.num_frames} at {scale.size_px} px"
                raise invalid(given, f"the cache holds {4 * held - 3}", "encode longer films, or ask for fewer frames")
        self.caches, self.scales = caches, scales
        self._turns = turns_of(scales)

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """The rows of `step`; the scale gives their number, not `batch_size`."""
        number, turn = self._turn(step, seed)
        scale = self.scales[number]
        batch = self.caches[scale.size_px].batch(turn, batch_size=scale.batch_size, seed=seed + number)
        return replace(batch, latents=batch.latents[:, :, : latent_frames(scale.num_frames)])

    def _turn(self, step: int, seed: int) -> tuple[int, int]:
        """Which scale `step` has, and how many batches of that scale came before."""
        cycle, place = divmod(step, CYCLE_STEPS)
        pattern = [number for number, turns in enumerate(self._turns) for _ in range(turns)]
        order = torch.randperm(CYCLE_STEPS, generator=generator(seed, cycle, "scales")).tolist()
        pattern = [pattern[i] for i in order]
        number = pattern[place]
        return number, cycle * self._turns[number] + pattern[:place].count(number)


def open_scales(folder: Path, scales: tuple[Scale, ...]) -> ScaledLatents:
    """The latents of a cache folder at every size that `scales` asks for; their captions are in memory once."""
    caches: dict[int, LatentCache] = {}
    for size_px in sorted({scale.size_px for scale in scales}):
        cache = LatentCache(folder, size_px=size_px)
        if caches:  # the text is the same at every size
            first = next(iter(caches.values()))
            cache.states, cache.pooled = first.states, first.pooled
        caches[size_px] = cache
    return ScaledLatents(caches, scales)
