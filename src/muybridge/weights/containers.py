"""The kinds of file that `convert` writes: each one's size, how it is written, and how it is checked afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from muybridge.core.errors import WeightsError
from muybridge.core.files import OnBytes
from muybridge.weights.header import read_header, verify
from muybridge.weights.layouts import Entries
from muybridge.weights.save import is_finished, stored_bytes, stream_safetensors
from muybridge.weights.storage.write_gguf import gguf_bytes, write_gguf

FILE_SUFFIXES = (".safetensors", ".gguf")  # of destinations that are one file


class Container(Protocol):
    """One kind of file."""

    def num_bytes(self, entries: Entries) -> int:
        """Size of the file that the entries become."""
        ...

    def is_finished(self, file: Path, entries: Entries) -> bool:
        """Whether an earlier `write` of the same entries came to its end; cheap."""
        ...

    def write(self, file: Path, entries: Entries, *, on_bytes: OnBytes) -> None:
        """Write the entries, one tensor in memory at a time."""
        ...

    def check(self, file: Path, *, on_bytes: OnBytes) -> None:
        """Raises WeightsError where the bytes on the disk are not those that were written, as far as can be told."""
        ...


@dataclass(frozen=True, slots=True)
class Safetensors:
    """Continued where an interrupted run stopped; read back against its checksums."""

    metadata: Mapping[str, str]

    def num_bytes(self, entries: Entries) -> int:
        """As `Container.num_bytes`."""
        return stored_bytes(entries, metadata=self.metadata)

    def is_finished(self, file: Path, entries: Entries) -> bool:
        """As `Container.is_finished`."""
        return is_finished(file, entries, metadata=self.metadata)

    def write(self, file: Path, entries: Entries, *, on_bytes: OnBytes) -> None:
        """As `Container.write`."""
        stream_safetensors(file, entries, metadata=self.metadata, on_bytes=on_bytes)

    def check(self, file: Path, *, on_bytes: OnBytes) -> None:
        """As `Container.check`."""
        try:
            verify(file, read_header(file), on_bytes=on_bytes)
        except WeightsError:
            rule = "what is on the disk is not what was read from the source"
            raise WeightsError(f"{file}: {rule}; check the disk, remove this file and convert again.") from None


@dataclass(frozen=True, slots=True)
class Gguf:
    """Written anew after an interruption, and there only when it is whole. type_name: as `write_gguf`."""

    metadata: Mapping[str, str]
    type_name: str | None

    def num_bytes(self, entries: Entries) -> int:
        """As `Container.num_bytes`, without the header."""
        return gguf_bytes(entries, type_name=self.type_name)

    def is_finished(self, file: Path, entries: Entries) -> bool:
        """As `Container.is_finished`."""
        return file.is_file() and file.stat().st_size > self.num_bytes(entries)

    def write(self, file: Path, entries: Entries, *, on_bytes: OnBytes) -> None:
        """As `Container.write`."""
        write_gguf(file, entries, type_name=self.type_name, metadata=self.metadata, on_bytes=on_bytes)

    def check(self, file: Path, *, on_bytes: OnBytes) -> None:
        """GGUF has no checksums; `precision.check_read_back` compares the values instead."""
        on_bytes(file.stat().st_size)
