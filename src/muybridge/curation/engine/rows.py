"""A clip that has passed every stage as a row: facts and columns, rounded so that they are the same everywhere."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from muybridge.curation.clip import Clip, Value
from muybridge.curation.engine.plan import Plan
from muybridge.curation.stage import Column

Row = dict[str, Value]

DIGITS = 6  # significant: far finer than any measurement, coarser than what another order of sums changes
_TYPES: Mapping[Column, tuple[type, ...]] = {
    "float": (int, float), "int": (int,), "bool": (bool,), "text": (str,), "floats": (int, float), "texts": (str,),
}  # fmt: skip


def row_of(clip: Clip, plan: Plan, *, place: str, sha256: str) -> tuple[Row, list[str]]:
    """(the row, what was not a number in it). `place` and `sha256` are of the clip's file.

    Raises TypeError where a stage wrote another type than it declares, or left a column out.
    """
    height, width = clip.frames.shape[1:3]
    facts: dict[str, Any] = {
        "id": clip.id,
        "source": clip.origin.id,
        "uri": clip.origin.uri,
        "start_s": clip.start_s,
        "end_s": clip.end_s,
        "num_frames": len(clip.frames),
        "width": width,
        "height": height,
        "fps": clip.fps,
        "source_width": clip.origin.width_px,
        "source_height": clip.origin.height_px,
        "crop": tuple(map(float, clip.crop)),
        "clip": place,
        "sha256": sha256,
        "licence": clip.origin.licence,
        "has_consent": clip.origin.has_consent,
        "has_sound": clip.sound is not None,
        "is_picture": clip.is_picture,
        "stage_version": plan.stage_version,
    }
    columns = plan.columns
    values = facts | dict(clip.values)
    if values.keys() != columns.keys():
        raise TypeError(f"columns {sorted(values.keys() ^ columns.keys())} are declared or written, not both")
    row = {name: as_column(values[name], kind, name=name) for name, kind in columns.items()}
    notes = [f"{clip.id} {name}: not a number" for name in columns if row[name] is None and values[name] is not None]
    return row, notes


def as_column(value: Any, kind: Column, *, name: str) -> Value:
    """The value as a row keeps it: plain, rounded, None where it is not finite. Raises TypeError on another type."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None:
        return None
    parts = list(value) if kind in ("floats", "texts") and not isinstance(value, str) else [value]
    parts = [each.item() if isinstance(each, np.generic) else each for each in parts]
    is_fitting = all(isinstance(each, _TYPES[kind]) and (kind == "bool") == isinstance(each, bool) for each in parts)
    if not is_fitting or (kind in ("floats", "texts")) != (isinstance(value, tuple | list | np.ndarray)):
        raise TypeError(f"{name} holds {value!r}, which is not {kind}")
    if kind in ("float", "floats"):
        parts = [float(f"{each:.{DIGITS}g}") for each in parts]
        if not all(map(math.isfinite, parts)):
            return None
    return tuple(parts) if kind in ("floats", "texts") else parts[0]
