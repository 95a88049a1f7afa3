"""What a file or folder of weights holds, whatever its container."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.files import OnBytes
from muybridge.weights.stored import MappedTensors, StoredTensor, TensorMap


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What a file or folder holds: entries by key, string metadata, and the `config.json` beside them if any."""

    path: Path
    entries: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]
    config: Mapping[str, Any] | None
    files: tuple[Path, ...]
    sources: tuple[MappedTensors, ...] = ()

    @property
    def tensors(self) -> Mapping[str, Any]:
        """Key to tensor; each look-up maps one tensor from its file."""
        return TensorMap(self.entries)

    def verify(self, *, on_bytes: OnBytes | None = None) -> None:
        """Compare the files with the checksums they carry; reads every byte of those that do.

        on_bytes: told how many bytes more were read. Raises WeightsError where one differs.
        """
        for source in self.sources:
            source.verify(on_bytes)

    def release(self) -> None:
        """Give back the memory of what was read and is in no use any more; later look-ups map it anew."""
        for source in self.sources:
            source.release()
