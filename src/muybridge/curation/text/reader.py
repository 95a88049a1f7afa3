"""What finds text in a picture and reads it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from muybridge.curation.clip import Box
from muybridge.media.frames import Picture


@dataclass(frozen=True, kw_only=True, slots=True)
class TextBox:
    """A line of text or a part of one: `box` in pixels of the picture, `score` 0..1, slant in degrees from level."""

    box: Box
    score: float
    slant_degrees: float = 0.0

    @property
    def height_px(self) -> int:
        """Of the box."""
        return self.box[3] - self.box[1]


class TextReader(Protocol):
    """Finds lines of text and reads them. Made in one process, pickled to others before `setup`; one thread."""

    @property
    def version(self) -> int:
        """Counts the changes of what it finds or reads."""
        ...

    def prepare(self) -> None:
        """Once a machine: see that what `setup` loads is there. Raises AssetError, MissingExtra."""
        ...

    def setup(self) -> None:
        """Once a worker: load networks."""
        ...

    def detect(self, picture: Picture) -> tuple[TextBox, ...]:
        """The lines of text of one picture, from top to bottom."""
        ...

    def read(self, picture: Picture, boxes: Sequence[Box]) -> tuple[str, ...]:
        """What stands in each box; empty where nothing can be read."""
        ...
