"""The command `muybridge`: one verb, one file."""

from typing import TYPE_CHECKING

from muybridge.cli.app import main
from muybridge.core.lazy import lazy_names

if TYPE_CHECKING:
    from muybridge.cli.films import Showing, jobs_of, make

__all__ = ["Showing", "jobs_of", "main", "make"]
__getattr__ = lazy_names(__name__, dict.fromkeys(("Showing", "jobs_of", "make"), "films"))  # help waits for no torch
