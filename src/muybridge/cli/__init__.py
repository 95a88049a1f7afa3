"""The command `muybridge`: one verb, one file."""

from muybridge.cli.app import main

__all__ = ["main"]
