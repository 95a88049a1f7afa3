"""Muybridge: the HunyuanVideo system as one Python package. Names are imported when they are first used (PEP 562)."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muybridge.pipelines import (
        GenerationRequest,
        LoraUse,
        Pipeline,
        Progress,
        Settings,
        Video,
        check_destination,
        load,
        read_settings,
    )

__version__ = "0.1.0"

__all__ = [
    "GenerationRequest",
    "LoraUse",
    "Pipeline",
    "Progress",
    "Settings",
    "Video",
    "__version__",
    "check_destination",
    "load",
    "read_settings",
]


def __getattr__(name: str) -> Any:
    """A public name, its room imported now."""
    if name not in __all__:
        raise AttributeError(f"module 'muybridge' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module("muybridge.pipelines"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
