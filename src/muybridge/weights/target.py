"""What a converted checkpoint is to be: its names, precision and size of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from muybridge.core.errors import invalid
from muybridge.weights.containers import FILE_SUFFIXES
from muybridge.weights.folders import SUFFIXES
from muybridge.weights.layouts import Entries
from muybridge.weights.names import LAYOUTS, MAX_SHARD_BYTES, Layout
from muybridge.weights.precision import PRECISIONS, Precision
from muybridge.weights.stored import StoredTensor, cast

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}  # that can be written
_GGUF_TYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What `convert` writes. dtype: None keeps every tensor's own, bit for bit. max_shard_bytes: of a folder's files.

    quantise: one of `PRECISIONS` for the blocks' linear layers; those that are GGUF's go into a .gguf file.
    Raises InvalidInput where a value breaks a rule.
    """

    layout: Layout = "official"
    dtype: torch.dtype | None = None
    quantise: str | None = None
    max_shard_bytes: int = MAX_SHARD_BYTES

    def __post_init__(self) -> None:
        """Refuse what cannot be written."""
        if self.layout not in LAYOUTS:
            raise invalid(f"layout={self.layout!r}", f"known are {', '.join(LAYOUTS)}", "choose one")
        if self.quantise not in (None, *PRECISIONS):
            raise invalid(f"quantise={self.quantise!r}", f"known are {', '.join(PRECISIONS)}", "choose one")
        if self.max_shard_bytes < 1:
            raise invalid(f"max_shard_bytes={self.max_shard_bytes}", "must be positive", f"use {MAX_SHARD_BYTES}")

    def check_destination(self, destination: Path) -> None:
        """Raises InvalidInput where it is taken, or the layout cannot be written there."""
        if destination.suffix in FILE_SUFFIXES and self.layout == "diffusers":
            raise invalid(f"{destination}", "the diffusers layout is a folder", "name a new folder")
        if destination.suffix in SUFFIXES and destination.suffix not in FILE_SUFFIXES:
            remedy = f"name {destination.stem}.safetensors, {destination.stem}.gguf or a new folder"
            raise invalid(f"{destination}", f"no {destination.suffix} is written", remedy)
        is_gguf, precision = destination.suffix == ".gguf", self.precision
        if precision is not None and (precision.quantise is None) != is_gguf:
            known = ", ".join(name for name, each in PRECISIONS.items() if (each.quantise is None) == is_gguf)
            rule = f"a {'.gguf file' if is_gguf else '.safetensors file or folder'} keeps {known}"
            raise invalid(f"quantise={self.quantise} to {destination}", rule, "choose one, or another destination")
        is_empty = destination.is_dir() and not any(destination.iterdir()) and destination.suffix not in FILE_SUFFIXES
        if destination.exists() and not is_empty:
            raise invalid(f"{destination}", "is there already", "choose a new name, or remove it first")

    @property
    def precision(self) -> Precision | None:
        """Of the blocks' linear layers, where it is not that of the rest."""
        return None if self.quantise is None else PRECISIONS[self.quantise]

    @property
    def type_name(self) -> str | None:
        """The GGUF type of the blocks' linear layers; None where they keep their own."""
        if self.quantise is not None:
            return self.quantise.upper()
        return None if self.dtype is None else _GGUF_TYPES.get(self.dtype)

    def stored(self, entries: Entries) -> Mapping[str, StoredTensor]:
        """The entries in this dtype, before they are quantised."""
        return entries if self.dtype is None else {name: cast(entry, self.dtype) for name, entry in entries.items()}
