"""What tells files from others, for the record of a result: weights, and what a request names."""

import functools
import hashlib
from pathlib import Path

from muybridge.core.errors import invalid
from muybridge.core.files import sha256
from muybridge.weights.checkpoint import Checkpoint

WHOLE_HASH_BYTES = 256 * 2**20  # larger files are identified by their length and both ends
END_BYTES = 2**20


def identity(checkpoint: Checkpoint) -> str:
    """SHA-256 of a checkpoint's files, of large ones of length and ends."""
    parts = [file_identity(file) for file in sorted(checkpoint.files)]
    return parts[0] if len(parts) == 1 else hashlib.sha256("".join(parts).encode()).hexdigest()


def file_identity(file: Path) -> str:
    """The same of one file."""
    size = file.stat().st_size
    if size <= WHOLE_HASH_BYTES:
        return sha256(file)
    with file.open("rb") as stream:
        head = stream.read(END_BYTES)
        stream.seek(size - END_BYTES)
        return hashlib.sha256(str(size).encode() + head + stream.read()).hexdigest()


def found_file(given: str, *, option: str, known: str | None, remedy: str) -> tuple[str, str]:
    """The full path and SHA-256 of a file that a request names, so that it can be repeated from anywhere.

    Raises InvalidInput, which says the option, where there is none (`remedy`), or it is not the one `known` by its
    hash.
    """
    path = Path(given).expanduser().absolute()
    if not path.is_file():
        raise invalid(f"{option} {given}", "is a folder" if path.is_dir() else "no such file", remedy)
    stat = path.stat()
    digest = _digest(path, stat.st_mtime_ns, stat.st_size)
    if known not in (None, digest):
        rule = f"the result was made with {str(known)[:12]}..., this file is {digest[:12]}..."
        raise invalid(f"{option} {path}", rule, f"bring the file back, or give {option} to use it all the same")
    return str(path), digest


@functools.lru_cache(maxsize=256)
def _digest(path: Path, _modified_ns: int, _size: int) -> str:
    """Of a file as it was then."""
    return sha256(path)
