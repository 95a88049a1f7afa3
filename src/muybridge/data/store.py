"""Encoded tensors by what they were made from: written once, shared between runs, checked whenever they are read."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from muybridge.core.errors import RunFailed
from muybridge.core.files import atomic_path

NOTE = "entry"  # one metadata key: safetensors writes several in any order, and equal entries shall be equal bytes


class DamagedEntry(RunFailed):
    """A stored entry that is absent or not what was written."""


def key_of(made_from: Mapping[str, Any]) -> str:
    """The address of what is made from `made_from`, JSON-ready: 40 hex digits."""
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()[:40]


class Store:
    """A folder of safetensors files named by their key; two processes may write the same one."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def path(self, key: str) -> Path:
        """Where the entry lies, or would."""
        return self.folder / key[:2] / f"{key}.safetensors"

    def write(self, made_from: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
        """Store tensors under the key of `made_from`, all or nothing; the key. Raises RunFailed where it cannot be."""
        key, plain = key_of(made_from), {name: tensor.contiguous() for name, tensor in tensors.items()}
        note = json.dumps({"sha256": _checksum(plain), "made_from": made_from}, sort_keys=True)
        try:
            with atomic_path(self.path(key)) as temporary:
                save_file(plain, temporary, metadata={NOTE: note})
        except (OSError, SafetensorError) as error:  # such as a disk that fills up meanwhile
            kept = "what was encoded before is kept; make room and repeat the command"
            raise RunFailed(f"{self.path(key)}: cannot be written ({error}); {kept}.") from error
        return key

    def read(self, key: str) -> dict[str, Tensor]:
        """The entry's tensors. Raises DamagedEntry where it is absent or its checksum differs."""
        note, tensors = self._open(key)
        if _checksum(tensors) != note.get("sha256"):
            raise DamagedEntry(f"{self.path(key)}: its checksum differs; run the encode command again, it mends this.")
        return tensors

    def made_from(self, key: str) -> dict[str, Any]:
        """What the entry was made from. Raises DamagedEntry where it is absent or cannot be read."""
        return self._open(key)[0]["made_from"]

    def state(self, key: str) -> str:
        """`absent`, `damaged` or `good`."""
        if not self.path(key).exists():
            return "absent"
        try:
            self.read(key)
        except DamagedEntry:
            return "damaged"
        return "good"

    def _open(self, key: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The entry's note and its tensors, unchecked."""
        path = self.path(key)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}
                return json.loads((file.metadata() or {})[NOTE]), tensors
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise DamagedEntry(f"{path}: {error}; run the encode command again, it mends this.") from None


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
