"""What tells one set of weights from another, for the record of a result."""

import hashlib
from pathlib import Path

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
