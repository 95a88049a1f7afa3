"""Packages whose names are imported when they are first used (PEP 562), so that importing them brings nothing heavy."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of `package`, which takes each name in `homes` from the submodule given there."""

    def take(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(homes))}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return take
