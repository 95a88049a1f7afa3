"""Packages of kernels that are used where they are installed, and imported when they are."""

import functools
import importlib
import importlib.util
from dataclasses import dataclass
from types import ModuleType

from muybridge.core.errors import MissingExtra


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """The module to import, and the command that gets it."""

    module: str
    source: str

    @property
    def is_installed(self) -> bool:
        """Whether this Python finds it; nothing is imported."""
        return _is_found(self.module)

    def load(self) -> ModuleType:
        """The module. Raises MissingExtra where it is not installed or does not load."""
        try:
            return importlib.import_module(self.module)
        except ImportError as error:
            why = "is not installed" if error.name == self.module else f"does not load ({error})"
            raise MissingExtra(f"{self.module}: {why}; get it by `{self.source}`, or use attention=auto.") from None


@functools.cache
def _is_found(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
