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


def accepted_licences() -> frozenset[str]:
    """The models whose licences the user accepts: $MUYBRIDGE_ACCEPT_LICENCE, names with commas between."""
    return frozenset(name.strip() for name in os.environ.get("MUYBRIDGE_ACCEPT_LICENCE", "").split(",") if name.strip())


def hub_folder() -> Path | None:
    """A folder that stands in for the hub, repositories in it as OWNER/NAME: $MUYBRIDGE_HUB; None is the hub itself."""
    chosen = os.environ.get("MUYBRIDGE_HUB")
    return Path(chosen).expanduser() if chosen else None


def data_rank() -> int:
    """This process's rank as torchrun sets it; 0 alone."""
    return int(os.environ.get("RANK", "0"))


def terminal_words() -> dict[str, str]:
    """What a terminal says of itself, by variable."""
    names = ("TERM", "TERM_PROGRAM", "LC_TERMINAL", "KITTY_WINDOW_ID", "TMUX", "STY")
    return {name: os.environ[name] for name in names if name in os.environ}


def quiet_ray() -> None:
    """Keep Ray from reporting its use to its makers, unless the user chose otherwise."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


def quiet_encoders() -> None:
    """Keep SVT-AV1 from printing its settings, unless the user asked for them in $SVT_LOG."""
    os.environ.setdefault("SVT_LOG", "1")


def api_key() -> str | None:
    """What a captioning server wants to know its users by: $MUYBRIDGE_API_KEY. Other programs' keys are never sent."""
    return os.environ.get("MUYBRIDGE_API_KEY") or None
