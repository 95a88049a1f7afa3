"""A detector that sees bright discs as faces, and as bodies: for trials and tests, without a network."""

import numpy as np

from muybridge.curation.opencv import opencv
from muybridge.curation.people.faces import Body, Face
from muybridge.media.frames import Picture


class BrightDiscs:
    """Connected regions of at least `min_level` in all channels; the score is how well a region fills its circle."""

    name = "discs"
    version = 1

    def __init__(self, *, min_level: int = 200) -> None:
        self.min_level = min_level

    def prepare(self) -> None:
        """Raises MissingExtra."""
        opencv()

    def setup(self) -> None:
        """Load nothing."""

    def detect(self, picture: Picture) -> tuple[Face, ...]:
        """The regions, the roundest first."""
        bright = (picture.min(2) >= self.min_level).astype(np.uint8)
        _, _, regions, _ = opencv().connectedComponentsWithStats(bright)
        faces = [_face(*(int(value) for value in region)) for region in regions[1:]]
        return tuple(sorted(faces, key=lambda face: -face.score))

    def bodies(self, picture: Picture) -> tuple[Body, ...]:
        """The same regions."""
        return tuple(Body(box=face.box, score=face.score) for face in self.detect(picture))


def _face(left: int, top: int, width: int, height: int, area: int) -> Face:
    circle = np.pi / 4 * max(width, height) ** 2
    fit = min(area, circle) / max(area, circle)
    return Face(box=(left, top, left + width, top + height), score=float(fit))
