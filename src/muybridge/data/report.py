"""Where every input went: a bucket, or out, and why."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHOWN_PER_REASON = 5  # files named in the table for each reason; the JSON names all


class Reason(StrEnum):
    """Why an input is left out."""

    EMPTY_FILE = "empty file"
    MISSING_FILE = "no such file"
    DAMAGED = "damaged or not what its name says"
    CUT_SHORT = "cut short"
    NO_VIDEO = "sound without film"
    TOO_SMALL = "too small"
    TOO_SHORT = "too short"
    NO_BUCKET = "no bucket for its kind"
    ODD_ASPECT = "too far from every aspect"
    NO_CAPTION = "no caption"
    EMPTY_CAPTION = "empty caption"
    BINARY_CAPTION = "caption is not text"
    UNREADABLE_CAPTION = "caption that the text encoder refuses"
    DUPLICATE_ID = "duplicate id"
    BAD_ROW = "row without a file"
    UNLISTED = "not listed in the table"
    LONE_CAPTION = "caption without a film or picture"
    NOT_MEDIA = "not a film, picture or caption"


class Note(StrEnum):
    """What is done to an input that is taken."""

    VARIABLE_RATE = "variable frame rate: sampled by time stamps"
    SLOWER = "slower than the asked rate: kept at its own"
    ROTATED = "turned upright"
    DEEP = "more than 8 bits: rounded to 8"
    HDR = "high dynamic range: tone-mapped to BT.709"
    ANAMORPHIC = "pixels not square: stretched"
    CROPPED = "cropped to the bucket's aspect"
    ENLARGED = "enlarged to the bucket's size"
    PARTLY_USED = "longer than its samples: the rest is not used"
    LONG_CAPTION = "caption shortened"
    SAME_BYTES = "same bytes as another input"
    REPEATED = "repeated"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One input's fate. bucket and num_samples are of inputs that are taken, reason of those that are not."""

    item: str
    bucket: str | None = None
    num_samples: int = 0
    reason: Reason | None = None
    detail: str = ""
    notes: tuple[str, ...] = ()  # a `Note`, perhaps with figures after it

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        taken = {"item": self.item, "bucket": self.bucket, "samples": self.num_samples, "notes": list(self.notes)}
        return taken if self.reason is None else {"item": self.item, "reason": self.reason.value, "detail": self.detail}


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketLine:
    """One bucket of the table."""

    name: str
    num_tokens: int
    num_samples: int
    batch_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """All rows in the order of the sources, the buckets, and what was not understood of the descriptions."""

    rows: tuple[Row, ...]
    buckets: tuple[BucketLine, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def num_taken(self) -> int:
        """Inputs that lie in a bucket."""
        return sum(row.reason is None for row in self.rows)

    def rejected(self) -> dict[Reason, list[Row]]:
        """The rows left out, by reason, the commonest first."""
        by_reason: dict[Reason, list[Row]] = {}
        for row in self.rows:
            if row.reason is not None:
                by_reason.setdefault(row.reason, []).append(row)
        return dict(sorted(by_reason.items(), key=lambda pair: -len(pair[1])))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, every row of it."""
        return {
            "inputs": len(self.rows),
            "taken": self.num_taken,
            "samples": sum(line.num_samples for line in self.buckets),
            "buckets": [
                {"bucket": line.name, "tokens": line.num_tokens, "samples": line.num_samples, "batch": line.batch_size}
                for line in self.buckets
            ],
            "rejected": {reason.value: len(rows) for reason, rows in self.rejected().items()},
            "remarks": list(self.remarks),
            "rows": [row.to_dict() for row in self.rows],
        }

    def table(self) -> RenderableType:
        """The start-up table: buckets, reasons with the first few files of each, notes."""
        taken, total = self.num_taken, len(self.rows)
        parts: list[RenderableType] = [Text(f"{taken:,} of {total:,} inputs are used")]
        if self.buckets:
            parts.append(self._bucket_table())
        if taken < total:
            parts.append(self._reason_table())
        counts = Counter(_kind(note) for row in self.rows for note in row.notes)
        parts.extend(Text(f"{count:,} {note}") for note, count in counts.most_common())
        parts.extend(Text(remark) for remark in self.remarks)
        return Group(*parts)

    def _bucket_table(self) -> Table:
        columns = ("bucket (frames x width x height)", "samples", "tokens", "batch", "batches an epoch")
        rows = (
            (line.name, line.num_samples, line.num_tokens, line.batch_size, line.num_samples / line.batch_size)
            for line in self.buckets
        )
        return _table(columns, ((name, *(f"{value:,.4g}" for value in values)) for name, *values in rows))

    def _reason_table(self) -> Table:
        lines = []
        for reason, rows in self.rejected().items():
            shown = [f"{row.item}: {row.detail}" if row.detail else row.item for row in rows[:SHOWN_PER_REASON]]
            more = [f"and {len(rows) - SHOWN_PER_REASON:,} more"] if len(rows) > SHOWN_PER_REASON else []
            lines.append((reason.value, f"{len(rows):,}", "\n".join([*shown, *more])))
        return _table(("left out because", "inputs", "which"), lines)


def _kind(note: str) -> str:
    """A note without its figures."""
    return next((kind.value for kind in Note if note.startswith(kind.value)), note)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        is_figure = number > 0 and columns[0].startswith("bucket") or column == "inputs"
        table.add_column(column, justify="right" if is_figure else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
