"""The only reader of the environment."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where fetched files live: $MUYBRIDGE_CACHE, else $XDG_CACHE_HOME/muybridge, else ~/.cache/muybridge."""
    if chosen := os.environ.get("MUYBRIDGE_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "muybridge"


def is_offline() -> bool:
    """True when the user forbids downloads: $MUYBRIDGE_OFFLINE or $HF_HUB_OFFLINE set to anything but 0."""
    return any(os.environ.get(name, "0") not in ("", "0") for name in ("MUYBRIDGE_OFFLINE", "HF_HUB_OFFLINE"))


def data_rank() -> int:
    """This process's rank as torchrun sets it; 0 alone."""
    return int(os.environ.get("RANK", "0"))
