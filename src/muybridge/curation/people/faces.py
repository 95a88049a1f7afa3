"""What detectors of faces and bodies give, what they must do, and how found boxes are thinned out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from muybridge.media.frames import Picture
from muybridge.media.geometry import overlap

FloatBox = tuple[float, float, float, float]  # left, top, right, bottom in pixels; may reach beyond the picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Face:
    """A face: its box from chin to forehead, how sure it is, 0 to 1, and how frontal, 0 (profile) to 1."""

    box: FloatBox
    score: float
    frontal: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A person, whole or what is seen of one: the box, and how sure it is, 0 to 1."""

    box: FloatBox
    score: float


Found = TypeVar("Found", Face, Body)


class Detector(Protocol):
    """What finds something in one picture."""

    @property
    def name(self) -> str:
        """Lower case, one word; it stands in the settings of a run."""
        ...

    @property
    def version(self) -> int:
        """Changes whenever equal pictures may give something else."""
        ...

    def prepare(self) -> None:
        """Once a machine. Raises AssetError, MissingExtra."""
        ...

    def setup(self) -> None:
        """Once a worker: load networks."""
        ...


class FaceDetector(Detector, Protocol):
    """Finds faces."""

    def detect(self, picture: Picture) -> tuple[Face, ...]:
        """Faces, each once, the surest first; doubtful ones too, with a low score."""
        ...


class BodyDetector(Detector, Protocol):
    """Finds people, seen from wherever."""

    def bodies(self, picture: Picture) -> tuple[Body, ...]:
        """People, each once, the surest first; none that is doubtful."""
        ...


def size_of(box: FloatBox) -> tuple[float, float]:
    """Width and height."""
    return box[2] - box[0], box[3] - box[1]


def area_of(box: FloatBox) -> float:
    """In square pixels."""
    width, height = size_of(box)
    return max(0.0, width) * max(0.0, height)


def grown(box: FloatBox, factor: float) -> FloatBox:
    """The box with both sides times `factor`, round its middle."""
    width, height = size_of(box)
    across, down = (factor - 1) / 2 * width, (factor - 1) / 2 * height
    return box[0] - across, box[1] - down, box[2] + across, box[3] + down


def cut_to(box: FloatBox, *, width: int, height: int) -> FloatBox:
    """The part of the box inside a picture."""
    left, right = (min(max(x, 0.0), float(width)) for x in (box[0], box[2]))
    top, bottom = (min(max(y, 0.0), float(height)) for y in (box[1], box[3]))
    return left, top, right, bottom


def thinned(found: Iterable[Found], *, max_overlap: float = 0.3) -> tuple[Found, ...]:
    """Each once, the surest first: those that overlap a surer one by more than `max_overlap` are left out."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda one: -one.score):
        if all(overlap(each.box, other.box) <= max_overlap for other in kept):
            kept.append(each)
    return tuple(kept)
