"""A film as numbered PNG files: NAME-%05d.png, as ffmpeg writes it, counted from 0."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.core.errors import InvalidInput, MediaError
from muybridge.media.frames import coarse
from muybridge.media.image import write_image
from muybridge.media.save_options import SaveOptions

_NUMBER = re.compile(r"%0([1-9])d")


def is_sequence(path: Path) -> bool:
    """Whether the name stands for numbered pictures."""
    return path.suffix.lower() == ".png" and len(_NUMBER.findall(path.name)) == 1


def picture_path(path: Path, index: int) -> Path:
    """The file of frame `index`."""
    return path.with_name(_NUMBER.sub(lambda found: f"{index:0{found[1]}d}", path.name))


def stem_of(path: Path) -> str:
    """The name without its number: frame of frame-%05d.png, and film where nothing is left."""
    return _NUMBER.sub("", path.stem).strip("-_. ") or "film"


def check_sequence(path: Path, options: SaveOptions) -> None:
    """Raises MediaError on options of coded film, and where pictures of that name are there already."""
    for name in ("codec", "crf", "bitrate", "audio"):
        if getattr(options, name) is not None:
            raise MediaError(f"{path}: pictures take no {name}; leave it out, or write a film.")
    if options.bits == 10:
        raise MediaError(f"{path}: pictures are written with 8 bits; use {stem_of(path)}.mov.")
    if path.parent.is_dir() and (there := next(filter(_named_as(path).fullmatch, _names(path.parent)), None)):
        raise MediaError(f"{path.with_name(there)}: is there already, and films are not mixed; choose another folder.")


@contextmanager
def sequence(path: Path, *, metadata: Mapping[str, Any] | None) -> Iterator["Sequence"]:
    """Pictures to add to, with the settings in each; they are there once the block has ended well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = tempfile.TemporaryDirectory(prefix=".", dir=path.parent)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written ({error.strerror}); choose a folder you may write to.") from None
    with hidden as folder:
        made = Sequence(Path(folder) / path.name, metadata=metadata)
        yield made
        for index in range(made.num_frames):
            picture_path(made.path, index).replace(picture_path(path, index))


class Sequence:
    """Numbered pictures in a folder."""

    def __init__(self, path: Path, *, metadata: Mapping[str, Any] | None) -> None:
        self.path, self.num_frames = path, 0
        self._metadata = metadata

    def start(self, width: int, height: int) -> None:
        """Any size will do."""

    def add(self, picture: np.ndarray) -> None:
        """Write one more."""
        write_image(picture_path(self.path, self.num_frames), coarse(picture), metadata=self._metadata)
        self.num_frames += 1


def _named_as(path: Path) -> re.Pattern[str]:
    before, _, after = _NUMBER.split(path.name)
    return re.compile(re.escape(before) + r"\d+" + re.escape(after))


def _names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())
