"""Logging set-up for the command line: rank 0 speaks, key=value, to standard error."""

import logging

from muybridge.core.env import data_rank


def configure(*, is_verbose: bool = False) -> None:
    """Send the package's warnings, or all it says, to standard error; other ranks only warn."""
    level = logging.INFO if is_verbose else logging.WARNING
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt="%H:%M:%S"))
    root = logging.getLogger("muybridge")
    root.handlers[:] = [handler]
    root.setLevel(level if data_rank() == 0 else logging.WARNING)
