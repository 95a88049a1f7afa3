"""Which clips the report shows: at each rule those just left out, the farthest out, and those just kept."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.core.errors import MediaError
from muybridge.curation.decide import Columns, Decisions, lowest_tier
from muybridge.curation.output.table import Table
from muybridge.curation.thresholds import Rule
from muybridge.media.geometry import fill
from muybridge.media.image import write_image
from muybridge.media.sampling import read_at

NUM_NEAR, NUM_FAR, NUM_KEPT = 3, 1, 3  # of each rule
STRIP_FRAMES, STRIP_HEIGHT_PX = 4, 90
_QUALITY = 70


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A clip to look at: its strip beside the page (None where its file is gone), and what is said of it."""

    id: str
    uri: str
    start_s: float
    end_s: float
    strip: str | None
    said: str


def dropped_rows(columns: Columns, decisions: Decisions, number: int) -> list[int]:
    """The rows that the rule left out, a few: the nearest to its limit and the farthest from it."""
    rows = np.flatnonzero(decisions.rejected_by == number)
    ordered = rows[_distances(columns, decisions, number, rows)].tolist()
    near, far = ordered[:NUM_NEAR], ordered[NUM_NEAR:][-NUM_FAR:]
    return [*near, *far]


def kept_rows(columns: Columns, decisions: Decisions, number: int) -> list[int]:
    """The rows that are kept although they are nearest to the rule's limit."""
    column = decisions.thresholds.rules[number].column
    if column not in columns.names:
        return []
    rows = np.flatnonzero(decisions.is_kept & columns.present(column))
    return rows[_distances(columns, decisions, number, rows)].tolist()[:NUM_KEPT]


def example(folder: Path, table: Table, row: int, *, said: str) -> Example:
    """The clip of a row with its strip drawn below `folder`/report."""
    wanted = ("id", "uri", "start_s", "end_s", "clip", "fps", "num_frames")
    (values,) = table.rows([row], only=wanted)
    strip = f"examples/{values['id']}.webp"
    place = folder / "report" / strip
    if not place.exists() and not _draw(folder / values["clip"], place, fps=values["fps"], length=values["num_frames"]):
        strip = None
    facts = {name: values[name] for name in ("id", "uri", "start_s", "end_s")}
    return Example(**facts, strip=strip, said=said)


def said_of(table: Table, row: int, rule: Rule) -> str:
    """ "motion 0.0004, where at least 0.002 is asked", "copy of a.mp4, 0 to 1.4 s"."""
    (values,) = table.rows([row], only=(rule.column, "is_picture"))
    if rule.column == "duplicate_of" and values[rule.column] in (ids := table.values("id")):
        (first,) = table.rows([ids.index(values[rule.column])], only=("uri", "start_s", "end_s"))
        return f"copy of {first['uri']}, {shown(first['start_s'])} to {shown(first['end_s'])} s"
    tier = lowest_tier(bool(values.get("is_picture")))
    asked = rule.words(tier) if tier in rule.limits else "nothing"
    return f"{rule.column} {shown(values.get(rule.column))}, where {asked} is asked"


def shown(value: Any) -> str:
    """A value of any column in few characters."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}" if math.isfinite(value) else "missing"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(shown(each) for each in value)
    return str(value)


def strip_of(frames: np.ndarray) -> np.ndarray:
    """Frames side by side, STRIP_HEIGHT_PX high."""
    height, width = frames.shape[1:3]
    width_px = max(1, round(width * STRIP_HEIGHT_PX / height))
    return np.concatenate(list(fill(frames, width_px=width_px, height_px=STRIP_HEIGHT_PX)), axis=1)


def _distances(columns: Columns, decisions: Decisions, number: int, rows: np.ndarray) -> np.ndarray:
    """The order of `rows` by how far they are from the rule's limit; as they come where it has no number."""
    rule = decisions.thresholds.rules[number]
    if rule.kind not in ("at_least", "at_most") or rule.column not in columns.names:
        return np.arange(len(rows))
    limits = _limits(rule.limits)
    limit = np.array([limits.get(lowest_tier(bool(flag)), np.nan) for flag in decisions.is_picture[rows]])
    return np.argsort(np.abs(columns.numbers(rule.column)[rows] - limit), kind="stable")


def _limits(limits: Mapping[str, Any]) -> dict[str, float]:
    return {tier: float(limit) for tier, limit in limits.items() if not isinstance(limit, tuple)}


def _draw(clip: Path, place: Path, *, fps: float, length: int) -> bool:
    """Whether the clip could be read. A picture's fps is 0."""
    shown = np.linspace(0, length - 1, min(STRIP_FRAMES, length)).round()
    try:
        frames = read_at(clip, (shown / (fps or 1)).tolist(), fit=np.asarray)
    except MediaError:
        return False
    write_image(place, strip_of(frames), quality=_QUALITY)
    return True
