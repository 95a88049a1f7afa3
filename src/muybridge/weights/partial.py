"""Work in progress beside its destination: visible, resumable, and moved into place when it is whole."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from muybridge.core.errors import InvalidInput, invalid
from muybridge.core.files import atomic_path
from muybridge.core.processes import alone_in
from muybridge.core.room import check_room
from muybridge.weights.containers import FILE_SUFFIXES

_REQUEST = "request.json"
_WORK = "work"


class Partial:
    """The folder DESTINATION.partial: what was asked for, and the files so far.

    A context manager, for one run at a time, where others get RunFailed: a block that succeeds moves the files to the
    destination, one that fails leaves them, so that the same request continues. A destination with one of
    `FILE_SUFFIXES` is the one file of that name, else a folder.
    """

    def __init__(self, destination: Path, request: Mapping[str, Any]) -> None:
        """`request`: all that decides what the files are. Raises InvalidInput where another one is under way."""
        self.destination = destination
        self._home = destination.with_name(f"{destination.name}.partial")
        self._request = json.dumps(request, indent=1)
        self.folder = self._home / _WORK
        self._alone = ExitStack()
        if self._home.exists() and not self._is_ours():
            rule = "holds the beginning of another conversion"
            raise invalid(str(self._home), rule, "run that one again to its end, or remove the folder")

    def check_room(self, num_bytes: int) -> None:
        """Raises InvalidInput unless the disk has this much room."""
        what = f"the weights of {self.destination.name}"
        check_room(self._home, num_bytes, what=what, remedy="free space, or choose another disk")

    def __enter__(self) -> Self:
        try:
            self._alone.enter_context(alone_in(self._home))
            self.folder.mkdir(exist_ok=True)
            with atomic_path(self._home / _REQUEST) as temporary:
                temporary.write_text(self._request)
        except OSError as error:
            remedy = "choose a folder you may write to"
            raise InvalidInput(f"{self.destination}: cannot be written ({error.strerror}); {remedy}.") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            is_file = self.destination.suffix in FILE_SUFFIXES
            os.replace(self.folder / self.destination.name if is_file else self.folder, self.destination)
            shutil.rmtree(self._home)
        elif not any(self.folder.iterdir()):
            shutil.rmtree(self._home)
        self._alone.close()

    def _is_ours(self) -> bool:
        try:
            return (self._home / _REQUEST).read_text() == self._request
        except (OSError, UnicodeDecodeError):
            return False
