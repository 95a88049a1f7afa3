"""Room on the disk, looked at before hours of work rather than after them."""

import shutil
from pathlib import Path

from muybridge.core.errors import invalid


def check_room(folder: Path, needed_bytes: int, *, what: str, remedy: str) -> None:
    """Raises InvalidInput where the disk of `folder`, which need not exist yet, has not `needed_bytes` free.

    what: that needs them, in the plural.
    """
    home = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free_bytes = shutil.disk_usage(home).free
    if free_bytes < needed_bytes:
        rule = f"{what} need {gigabytes(needed_bytes)}"
        raise invalid(f"{home}: {gigabytes(free_bytes)} free", rule, remedy)


def gigabytes(count: int) -> str:
    """In words: "1.5 GB", below a tenth of one "20.0 MB"."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
