"""Latents and text states of rendered scenes, computed once and read back through memory maps."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.config import to_dict
from muybridge.core.errors import RunFailed, invalid
from muybridge.core.files import atomic_path
from muybridge.core.seeding import generator
from muybridge.data.clips import to_pixels
from muybridge.data.world import World
from muybridge.text.encoder import BulkTextEncoder
from muybridge.vae.latents import to_model
from muybridge.vae.model import VideoVAE

SORTED_BATCHES = 8  # samples are sorted by text length within this many batches, so a batch pads little
TEXT_BATCH = 16
OnShard = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheConfig:
    """Which scenes are drawn, how large, and what identifies the encoders that coded them."""

    num_scenes: int = 4096
    sizes_px: tuple[int, ...] = (64, 128)  # every scene is stored at each
    num_frames: int = 17
    scenes_per_shard: int = 256
    is_held_out: bool = False
    world: str = "sprites"
    encoders: str = ""  # hash of the VAE's weights and the text statistics: other encoders make another cache

    def __post_init__(self) -> None:
        if self.num_scenes < 1 or self.scenes_per_shard < 1:
            raise invalid(f"num_scenes={self.num_scenes}", "at least one scene, in shards of at least one", "use 4096")


@dataclass(frozen=True, kw_only=True, slots=True)
class LatentBatch:
    """Transformer-scale latents (b, c, t, h, w) float32 with right-padded text states."""

    latents: Float[Tensor, "b c t h w"]
    text: Float[Tensor, "b l d"]
    text_mask: Bool[Tensor, "b l"]
    pooled: Float[Tensor, "b p"]

    def each(self, change: Callable[[Tensor], Tensor]) -> "LatentBatch":
        """The batch with every tensor changed."""
        return LatentBatch(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def build_cache(
    folder: Path,
    config: CacheConfig,
    *,
    world: World,
    vae: VideoVAE,
    text: BulkTextEncoder,
    on_shard: OnShard | None = None,
) -> None:
    """Render, encode and store the scenes of `config` under `folder`; finished shards are kept, so it resumes.

    Raises RunFailed if `folder` holds another cache.
    """
    _claim(folder, config)
    starts = range(0, config.num_scenes, config.scenes_per_shard)
    for shard, first in enumerate(starts):
        target = _shard(folder, shard)
        if not target.exists():
            indices = range(first, min(first + config.scenes_per_shard, config.num_scenes))
            _write_shard(target, _encode_scenes(indices, config, world=world, vae=vae, text=text))
        if on_shard:
            on_shard(shard + 1, len(starts))


def is_complete(folder: Path) -> bool:
    """Whether every shard of the cache in `folder` is there."""
    note = folder / "cache.json"
    if not note.exists():
        return False
    config = json.loads(note.read_text())
    num_shards = math.ceil(config["num_scenes"] / config["scenes_per_shard"])
    return all(_shard(folder, shard).exists() for shard in range(num_shards))


class LatentCache:
    """A built cache, held in memory as float16, with batches that are pure functions of (seed, step)."""

    def __init__(self, folder: Path, *, size_px: int):
        shards = sorted(folder.glob("shard-*.npz"))
        if not shards:
            raise invalid(str(folder), "holds no latents", "build the cache first")
        if not is_complete(folder):
            raise invalid(str(folder), "its building was interrupted", "repeat the command that builds it")
        loaded = [np.load(shard) for shard in shards]
        if f"latents_{size_px}" not in loaded[0].files:
            raise invalid(f"size_px={size_px}", f"{folder} was built without it", "build the cache with this size")
        self.latents = torch.from_numpy(np.concatenate([shard[f"latents_{size_px}"] for shard in loaded]))
        self.pooled = torch.from_numpy(np.concatenate([shard["pooled"] for shard in loaded]))
        self.states = torch.from_numpy(np.concatenate([shard["states"] for shard in loaded]))
        self.lengths = torch.from_numpy(np.concatenate([shard["lengths"] for shard in loaded])).long()
        self.starts = self.lengths.cumsum(0) - self.lengths
        self._order_key: tuple[int, int] | None = None
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, step: int, *, batch_size: int, seed: int) -> LatentBatch:
        """The samples of `step`: every sample once an epoch, in an order given by (seed, epoch) alone."""
        group = batch_size * SORTED_BATCHES
        first = step * batch_size
        window, position = divmod(first, group)
        chosen = torch.tensor([self._sample(window * group + offset, seed) for offset in range(group)])
        order = torch.argsort(self.lengths[chosen], stable=True)
        batches = chosen[order].view(SORTED_BATCHES, batch_size)
        turn = torch.randperm(SORTED_BATCHES, generator=generator(seed, window, "batch order"))
        return self.gather(batches[turn[position // batch_size]])

    def gather(self, indices: Tensor) -> LatentBatch:
        """The samples at `indices`."""
        lengths = self.lengths[indices]
        text = torch.zeros(len(indices), int(lengths.max()), self.states.shape[1])
        for row, index in enumerate(indices.tolist()):
            start, length = int(self.starts[index]), int(self.lengths[index])
            text[row, :length] = self.states[start : start + length].float()
        mask = torch.arange(text.shape[1]) < lengths[:, None]
        pooled = self.pooled[indices].float()
        return LatentBatch(latents=self.latents[indices].float(), text=text, text_mask=mask, pooled=pooled)

    def _sample(self, position: int, seed: int) -> int:
        epoch, place = divmod(position, len(self))
        return self._epoch_order(epoch, seed)[place]

    def _epoch_order(self, epoch: int, seed: int) -> list[int]:
        """The permutation of an epoch; the last one is remembered, since steps ask in order."""
        key = (epoch, seed)
        if self._order_key != key:
            self._order = torch.randperm(len(self), generator=generator(seed, epoch, "order")).tolist()
            self._order_key = key
        return self._order


def _shard(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:04d}.npz"


def _claim(folder: Path, config: CacheConfig) -> None:
    from_config = to_dict(config)
    note = folder / "cache.json"
    if note.exists() and json.loads(note.read_text()) != from_config:
        raise RunFailed(f"{folder}: holds the latents of other settings; choose another folder or delete it.")
    if not note.exists():
        with atomic_path(note) as temporary:
            temporary.write_text(json.dumps(from_config))


def _encode_scenes(
    indices: range, config: CacheConfig, *, world: World, vae: VideoVAE, text: BulkTextEncoder
) -> dict[str, np.ndarray]:
    """Latents of every size, text states laid end to end with their lengths, pooled states; float16."""
    scenes = [world.scene(index, split="held_out" if config.is_held_out else "train") for index in indices]
    arrays = {
        f"latents_{size}": np.stack([_encode_scene(scene, size, config, world, vae) for scene in scenes])
        for size in config.sizes_px
    }
    wordings = [world.captions(scene) for scene in scenes]
    captions = [words[index % len(words)] for index, words in zip(indices, wordings, strict=True)]
    states, pooled = zip(*text.encode_many(captions, batch_size=TEXT_BATCH), strict=True)
    arrays["states"] = torch.cat(states).half().numpy()
    arrays["pooled"] = torch.stack(pooled).half().numpy()
    arrays["lengths"] = np.array([len(state) for state in states])
    arrays["captions"] = np.array(captions)
    return arrays


@torch.inference_mode()
def _encode_scene(scene: Any, size_px: int, config: CacheConfig, world: World, vae: VideoVAE) -> np.ndarray:
    """(c, t, h, w) float16 latents at the transformer's scale."""
    pixels = to_pixels(world.render(scene, size_px=size_px, num_frames=config.num_frames))
    with torch.autocast("cpu", torch.bfloat16):
        mean = vae.encode(pixels[None]).mode().float()
    return to_model(mean, vae.config)[0].half().numpy()


def _write_shard(target: Path, arrays: dict[str, np.ndarray]) -> None:
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
