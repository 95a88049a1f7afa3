"""Writing so that nothing half-written is ever left behind (DESIGN law 9)."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from muybridge.core.errors import InvalidInput

OnBytes = Callable[[int], None]  # told how many bytes more are done

CHUNK_BYTES = 2**20


@contextmanager
def atomic_path(path: Path, *, is_durable: bool = False) -> Iterator[Path]:
    """A temporary name beside `path` (same suffix) that becomes `path` if the block succeeds and vanishes if not.

    is_durable: the content is on the disk before it has its name, so that a power cut leaves all of it or nothing.
    Raises InvalidInput where the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to.") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o644)
        if is_durable:
            _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256(path: Path, *, start: int = 0, on_bytes: OnBytes | None = None) -> str:
    """Hex SHA-256 of a file from byte `start` on; `on_bytes` is told how many bytes more were read."""
    digest, buffer = hashlib.sha256(), memoryview(bytearray(CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            if on_bytes is not None:
                on_bytes(count)
    return digest.hexdigest()
