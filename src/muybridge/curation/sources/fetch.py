"""A source as a file of this machine: as it lies, or fetched for as long as it is read."""

import os
from pathlib import Path, PurePosixPath

from muybridge.core.errors import MediaError
from muybridge.curation.clip import SourceFile
from muybridge.curation.sources.item import SourceItem, is_media
from muybridge.curation.sources.remote import fetch


def on_this_machine(item: SourceItem, folder: Path) -> SourceFile:
    """The item's file; where it lies elsewhere, a copy in `folder`. Raises MediaError where it cannot be had."""
    path = Path(item.place)
    if item.is_remote:
        name = PurePosixPath(item.place.partition("?")[0]).name
        path = folder / f"source{PurePosixPath(name).suffix.lower() if is_media(name) else '.mp4'}"
        folder.mkdir(parents=True, exist_ok=True)
        fetch(item.place, path)
    elif not path.is_file() or not os.access(path, os.R_OK):
        raise MediaError(f"{item.uri}: is not there, or may not be read; check its name and rights.")
    return SourceFile(path=path, uri=item.uri, licence=item.licence, has_consent=item.has_consent)
