"""What a converted checkpoint is to be: its names, precision and size of files."""

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from muybridge.core.errors import invalid
from muybridge.weights.folders import SUFFIXES
from muybridge.weights.layouts import Entries, Layout
from muybridge.weights.stored import StoredTensor, cast

MAX_SHARD_BYTES = 5 * 2**30  # what diffusers and the hub use
LAYOUTS: tuple[Layout, ...] = typing.get_args(Layout)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What `convert` writes. dtype: None keeps every tensor's own, bit for bit. max_shard_bytes: of a folder's files.

    Raises InvalidInput where a value breaks a rule.
    """

    layout: Layout = "official"
    dtype: torch.dtype | None = None
    max_shard_bytes: int = MAX_SHARD_BYTES

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        if self.layout not in LAYOUTS:
            raise invalid(f"layout={self.layout!r}", f"known are {', '.join(LAYOUTS)}", "choose one")
        if self.max_shard_bytes < 1:
            raise invalid(f"max_shard_bytes={self.max_shard_bytes}", "must be positive", f"use {MAX_SHARD_BYTES}")

    def check_destination(self, destination: Path) -> None:
        """Raises InvalidInput where it is taken, or the layout cannot be written there."""
        if destination.suffix == ".safetensors" and self.layout == "diffusers":
            raise invalid(f"{destination}", "the diffusers layout is a folder", "name a new folder")
        if destination.suffix in SUFFIXES and destination.suffix != ".safetensors":
            remedy = f"name {destination.stem}.safetensors or a new folder"
            raise invalid(f"{destination}", f"no {destination.suffix} is written", remedy)
        is_empty = destination.is_dir() and not any(destination.iterdir()) and destination.suffix != ".safetensors"
        if destination.exists() and not is_empty:
            raise invalid(f"{destination}", "is there already", "choose a new name, or remove it first")

    def stored(self, entries: Entries) -> Mapping[str, StoredTensor]:
        """The entries in this precision."""
        return entries if self.dtype is None else {name: cast(entry, self.dtype) for name, entry in entries.items()}
