"""A stretch of one shot on its way through the stages: its pixels and sound, and what is known of it so far."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from muybridge.media.frames import Frames
from muybridge.media.sound import Sound

Value = bool | int | float | str | tuple[float, ...] | tuple[str, ...] | None  # what a column of the manifest holds
Box = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the clip's frames; right and bottom outside it

_IDS = uuid.UUID("6f0c1e7e-4bb4-5d1f-9f9f-0b7b8f3f2a10")  # namespace of clip ids; any constant, never to be changed


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A film or picture on this machine, and what was said of it where it was listed."""

    path: Path
    uri: str  # as listed; ids are made from it, so that the same footage elsewhere on the disk keeps them
    licence: str | None = None
    has_consent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """The source that a clip was cut from. `uri` is what was given, relative to its folder where there is one."""

    id: str
    uri: str
    width_px: int  # upright, in square pixels, before the stages scale it
    height_px: int
    fps: float
    licence: str | None = None
    has_consent: bool = False  # of the people in it: their faces may stay


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """Frames of one shot, upright RGB at the working size; one frame is a picture.

    `frames` are what will be written: stages that crop or blur replace them. `crop` is the part of the whole working
    picture that they show. `values` are the columns that stages have written so far.
    """

    id: str
    origin: Origin
    start_s: float
    end_s: float
    frames: Frames
    fps: float
    crop: Box
    sound: Sound | None = None
    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_picture(self) -> bool:
        """Whether nothing can move."""
        return len(self.frames) == 1

    @property
    def length_s(self) -> float:
        """Of its frames; 0 for a picture, which has no rate."""
        return len(self.frames) / self.fps if self.fps else 0.0

    def noted(self, values: Mapping[str, Value]) -> "Clip":
        """The same clip with more columns. Each has one author: a name that is there already is our own bug."""
        assert not self.values.keys() & values.keys(), f"written twice: {sorted(self.values.keys() & values.keys())}"
        return replace(self, values=MappingProxyType({**self.values, **values}))

    def cropped(self, box: Box) -> "Clip":
        """The part of its frames inside `box`."""
        left, top, right, bottom = box
        x, y = self.crop[:2]
        frames = np.ascontiguousarray(self.frames[:, top:bottom, left:right])
        return replace(self, frames=frames, crop=(x + left, y + top, x + right, y + bottom))


def source_id(uri: str) -> str:
    """The id of a source: equal on every machine and in every run. `uri` is text that UTF-8 can hold."""
    return str(uuid.uuid5(_IDS, uri))


def clip_id(uri: str, start_s: float, end_s: float, *, version: str) -> str:
    """The id of a stretch of a source: equal on every machine and in every run.

    version: of what cuts and measures, so that a change of either gives new ids.
    """
    return str(uuid.uuid5(_IDS, f"{uri}|{start_s:.6f}|{end_s:.6f}|{version}"))
