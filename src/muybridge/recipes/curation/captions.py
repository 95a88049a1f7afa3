"""Captions of the clips of a curation, kept in OUT/captions by what wrote them, so that none is written twice."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from muybridge.captioning.captioner import Captioner, ClipView, spread_numbers
from muybridge.captioning.run import CaptionJob, CaptionRun, caption_clips
from muybridge.captioning.schema import FIELDS
from muybridge.captioning.store import CaptionStore, caption_columns
from muybridge.curation.output.table import Table
from muybridge.curation.stage import Column
from muybridge.media.sampling import read_at

OnCaption = Callable[[int, int], None]  # clips done, of how many
BATCH = 16

_TEXTS = ("caption", "caption_by", "caption_problem")
CAPTION_COLUMNS: Mapping[str, Column] = MappingProxyType(
    {
        **dict.fromkeys(_TEXTS, "text"),
        "captions": "texts",
        **{f"caption_{name}": "text" for name in FIELDS if name != "short"},
    }
)


def write_captions(
    folder: Path, table: Table, captioner: Captioner, *, rows: Sequence[int], on_caption: OnCaption | None = None
) -> CaptionRun:
    """Caption the clips of those rows that have no caption by this captioner; where it failed before, it tries again.

    Raises as `caption_clips` does.
    """
    store = CaptionStore(folder / "captions", captioner)
    jobs = [CaptionJob(id=row["id"], view=partial(view_of, folder, row)) for row in table.rows(rows)]
    return caption_clips(jobs, captioner, store, batch_size=BATCH, is_retrying=True, on_progress=on_caption)


def with_captions(folder: Path, table: Table, captioner: Captioner, *, rows: Sequence[int]) -> Table:
    """The table with `CAPTION_COLUMNS`: what the folder holds of those rows by this captioner, nothing of others."""
    store = CaptionStore(folder / "captions", captioner)
    ids = table.values("id")
    columns: dict[str, list[Any]] = {name: [None] * len(ids) for name in CAPTION_COLUMNS}
    for row in rows:
        record = store.read(ids[row])
        for name, value in (caption_columns(record) if record is not None else {}).items():
            columns[name if name in columns else f"caption_{name}"][row] = value
    return table.with_columns(columns, CAPTION_COLUMNS)


def without_captions(table: Table) -> Table:
    """The table with empty `CAPTION_COLUMNS`."""
    empty: dict[str, np.ndarray | list[None]] = {name: [None] * table.num_rows for name in CAPTION_COLUMNS}
    return table.with_columns(empty, CAPTION_COLUMNS)


def view_of(folder: Path, row: Mapping[str, Any]) -> ClipView:
    """What a captioner is shown of the clip of a manifest's row. Raises MediaError."""
    shown_s = [number / (row["fps"] or 1) for number in spread_numbers(row["num_frames"])]
    frames = read_at(folder / row["clip"], shown_s, fit=np.asarray)
    columns = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return ClipView(id=row["id"], frames=frames, fps=row["fps"], duration_s=row["length_s"], columns=columns)
