"""The error tree. Every error a user can cause names what was given, the rule, and the remedy, in one line."""

import re

_MAX_CHARACTERS = 1200  # of a message: a path of some folders, a key, shapes
_LONG_QUOTE = re.compile(r"""(['"])([^'"]{160})[^'"]{40,}\1""")


class MuybridgeError(Exception):
    """Base of all our errors; `exit_code` is what the command line returns for it."""

    exit_code = 1


class InvalidInput(MuybridgeError, ValueError):
    """A value at a public edge breaks a rule."""

    exit_code = 2


class WeightsError(InvalidInput):
    """A checkpoint is damaged, unsafe, or not what the model needs; names the file and the key.

    What a file calls its keys may be long, break lines or steer a terminal: here it is shortened and made printable.
    """

    def __init__(self, message: str) -> None:
        shown = "".join(each if each.isprintable() else repr(each)[1:-1] for each in message)
        shown = _LONG_QUOTE.sub(r"\1\2...\1", shown)
        super().__init__(shown if len(shown) <= _MAX_CHARACTERS else f"{shown[:_MAX_CHARACTERS]} ... {shown[-200:]}")


class MediaError(InvalidInput):
    """A picture, film or sidecar cannot be read or written."""


class DoesNotFit(InvalidInput):
    """The work needs more memory than there is; said before it starts."""


class MissingExtra(InvalidInput):
    """An optional dependency is not installed; names the extra."""


class AssetError(MuybridgeError):
    """A fetched asset is missing or its hash is wrong; names what to fetch and where to put it."""


class RunFailed(MuybridgeError):
    """A run stopped for a reason that the message names."""


class Stopped(MuybridgeError):
    """A run was told to stop, has saved its state, and can be continued: no failure."""

    exit_code = 0


def invalid(given: str, rule: str, remedy: str) -> InvalidInput:
    """An `InvalidInput` in the house form `given: rule; remedy.`"""
    return InvalidInput(f"{given}: {rule}; {remedy}.")
