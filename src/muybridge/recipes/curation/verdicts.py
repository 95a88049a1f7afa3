"""What reviewers decided, wherever a curation's results are made anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.captioning.schema import validated
from muybridge.captioning.store import CaptionRecord, caption_columns
from muybridge.curation.output.table import Table
from muybridge.curation.review.verdicts import Settled, current, read_verdicts, with_verdicts, write_verdicts
from muybridge.curation.review.votes import forget
from muybridge.recipes.curation.captions import CAPTION_COLUMNS

_EDITED = "reviewer "  # how `caption_by` begins where a person wrote the caption


def judged(table: Table, folder: Path) -> Table:
    """The table with the verdicts that were written back; without such columns where none were."""
    return with_verdicts(table, read_verdicts(folder))


def without_edits(table: Table) -> Table:
    """The table without captions of reviewers, so that those which no longer count give way to the captioner's."""
    if "caption_by" not in table.names:
        return table
    edited = {row: {} for row, by in enumerate(table.values("caption_by")) if by and by.startswith(_EDITED)}
    return _with_captions(table, edited)


def with_edits(table: Table, folder: Path) -> Table:
    """The table with the captions that reviewers wrote in place of those of a captioner."""
    found = current(table, read_verdicts(folder))
    rows = {clip: row for row, clip in enumerate(table.values("id"))}
    return _with_captions(table, {rows[clip]: _columns(clip, each) for clip, each in found.items() if each.caption})


def forget_reviews(folder: Path, table: Table) -> None:
    """Take out of OUT/review all that is about clips that are no longer in the table."""
    kept = set(table.values("id"))
    forget(folder, kept)
    settled = read_verdicts(folder)
    if settled.keys() - kept:
        write_verdicts(folder, {clip: each for clip, each in settled.items() if clip in kept})


def _columns(clip: str, settled: Settled) -> Mapping[str, Any]:
    assert settled.caption is not None and settled.caption_by is not None
    record = CaptionRecord(
        id=clip, by=settled.caption_by, caption=validated(settled.caption), problem=None, repairs=(), num_tokens=0
    )
    found = caption_columns(record)
    return {name if name in CAPTION_COLUMNS else f"caption_{name}": value for name, value in found.items()}


def _with_captions(table: Table, edits: Mapping[int, Mapping[str, Any]]) -> Table:
    """Some rows with other values in `CAPTION_COLUMNS`, None for those that a row's mapping lacks."""
    if not edits:
        return table
    columns = {}
    for name in CAPTION_COLUMNS:
        columns[name] = table.values(name) if name in table.names else [None] * table.num_rows
        for row, values in edits.items():
            columns[name][row] = values.get(name)
    return table.with_columns(columns, CAPTION_COLUMNS)
