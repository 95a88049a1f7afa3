"""From the rows of a run to what people and trainings read: gathered, decided, captioned, written, reported."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from muybridge.captioning.captioner import Captioner
from muybridge.captioning.opened import open_captioner
from muybridge.core.files import atomic_path
from muybridge.curation.decide import Decisions
from muybridge.curation.engine.journal import SUMMARY, Journal, SourceRecord
from muybridge.curation.output.decided import decided
from muybridge.curation.output.manifest import MANIFEST, table_of, write_manifest
from muybridge.curation.output.shards import remove_tier, write_tier
from muybridge.curation.output.table import Table, read_about
from muybridge.curation.report.page import SourceLine, write_report
from muybridge.curation.review.verdicts import REVIEW_COLUMNS
from muybridge.curation.similarity.balance import balance
from muybridge.curation.stage import Column
from muybridge.curation.threshold_files import written
from muybridge.curation.thresholds import TIERS
from muybridge.recipes.curation.captions import CAPTION_COLUMNS, with_captions, without_captions, write_captions
from muybridge.recipes.curation.gathering import compared
from muybridge.recipes.curation.settings import CurationSettings
from muybridge.recipes.curation.verdicts import judged, with_edits, without_edits

OnStep = Callable[[str, int, int, Mapping[str, float]], None]  # (what, done, of how many, figures)
THRESHOLDS, SOURCES = "thresholds.toml", "sources.parquet"
TOO_SHORT = "gives no clip: its shots are too short"
DEFAULT_CAPTIONER, NO_CAPTIONER = "tags", "none"
_SOURCES: Mapping[str, Column] = {"uri": "text", "state": "text", "num_clips": "int", "remarks": "text"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Curated:
    """What a curation left: the decided table, the sources, and where things lie."""

    folder: Path
    table: Table
    decisions: Decisions
    sources: tuple[SourceLine, ...]
    report: Path
    shards: Mapping[str, Path]  # by tier

    @property
    def manifest(self) -> Path:
        """The Parquet file with every clip."""
        return self.folder / MANIFEST

    @property
    def summary(self) -> Mapping[str, Any] | None:
        """How the last run went, as summary.json has it."""
        return read_summary(self.folder)


def gathered(settings: CurationSettings) -> Table:
    """All rows of a run's folder, with the columns that compare them; also writes down what became of the sources."""
    folder = settings.out
    journal = Journal(folder)
    records = [
        {"uri": each.uri, "state": each.state, "num_clips": len(each.rows), "remarks": _remarks(each)}
        for each in journal.records()
    ]
    Table.of_rows(sorted(records, key=lambda row: str(row["uri"])), _SOURCES).write(folder / SOURCES, about={})
    return compared(table_of(journal.rows(), journal.columns()), settings.thresholds)


def finish(table: Table, settings: CurationSettings, *, on_step: OnStep | None = None) -> Curated:
    """Decide, caption what is kept, and write manifest, shards and report from measured and gathered rows.

    Verdicts of reviewers that were written back once go on to count, and their captions stay.
    """
    told, folder = on_step or (lambda what, done, total, figures: None), settings.out
    before = read_about(folder / MANIFEST)
    about = {
        "stages": ", ".join(sorted(set(table.values("stage_version")))),
        "captioner": settings.captioner or before.get("captioner", DEFAULT_CAPTIONER),
        "caption_model": settings.caption_model or before.get("caption_model", ""),
    }
    is_same = all(before.get(name) == about[name] for name in ("captioner", "caption_model"))
    with atomic_path(folder / THRESHOLDS) as temporary:
        temporary.write_text(written(settings.thresholds))
    whole, decisions = decided(judged(without_edits(table), folder), settings.thresholds)
    captioner = None if about["captioner"] == NO_CAPTIONER else _opened(about)
    whole = _captioned(balanced(whole, decisions), decisions, folder, captioner=captioner, is_same=is_same, told=told)
    whole = with_edits(whole, folder).ending_with((*REVIEW_COLUMNS, "sampling_weight", *CAPTION_COLUMNS))
    table, decisions = write_manifest(folder, whole, settings.thresholds, about=about)
    shards = _shards(table, decisions, settings, told=told)
    told("report", 0, 1, {})
    sources = _source_lines(folder, table, decisions)
    report = write_report(folder, table, decisions, sources=sources, summary=read_summary(folder))
    told("report", 1, 1, {})
    return Curated(folder=folder, table=table, decisions=decisions, sources=sources, report=report, shards=shards)


def read_summary(folder: Path) -> Mapping[str, Any] | None:
    """How the last run of a folder went; None where there was none."""
    path = folder / SUMMARY
    return json.loads(path.read_text()) if path.exists() else None


def balanced(table: Table, decisions: Decisions) -> Table:
    """The table with the weights by which the concepts of kept clips are drawn about alike."""
    if "concept" not in table.names:
        return table
    rows = np.flatnonzero(decisions.is_kept & table.present("concept"))
    weights = np.full(table.num_rows, np.nan)
    weights[rows] = balance(table.numbers("concept")[rows].astype(int)).sampling_weight
    values = [None if np.isnan(weight) else float(f"{weight:.6g}") for weight in weights.tolist()]
    return table.with_columns({"sampling_weight": values}, {"sampling_weight": "float"})


def _opened(about: Mapping[str, str]) -> Captioner:
    return open_captioner(about["captioner"], model=about["caption_model"] or None)


def _captioned(
    table: Table, decisions: Decisions, folder: Path, *, captioner: Captioner | None, is_same: bool, told: OnStep
) -> Table:
    """The table with the captions of the kept clips, made where they are missing. is_same: as the table has them."""
    is_new = any(name not in table.names for name in CAPTION_COLUMNS)
    if captioner is None:
        return without_captions(table) if is_new or not is_same else table
    waiting = decisions.is_kept & ~table.present("caption") if is_same and not is_new else decisions.is_kept
    if not (waiting.any() or is_new):
        return table
    write_captions(
        folder,
        table,
        captioner,
        rows=np.flatnonzero(waiting).tolist(),
        on_caption=lambda done, total: told("captions", done, total, {}),
    )
    return with_captions(folder, table, captioner, rows=np.flatnonzero(decisions.is_kept).tolist())


def _shards(table: Table, decisions: Decisions, settings: CurationSettings, *, told: OnStep) -> dict[str, Path]:
    shards = {}
    for tier in TIERS:
        rows = np.flatnonzero(decisions.reaches(tier))
        if tier not in settings.tiers or not len(rows):
            remove_tier(settings.out, tier)
            continue
        shards[tier] = write_tier(
            settings.out, tier, table.taken(rows.tolist()), config=settings.shards,
            on_shard=lambda done, total, tier=tier: told(f"shards {tier}", done, total, {}),
        )  # fmt: skip
    return shards


def _source_lines(folder: Path, table: Table, decisions: Decisions) -> tuple[SourceLine, ...]:
    uris = table.taken(np.flatnonzero(decisions.is_kept).tolist()).values("uri")
    kept = Counter(uris)
    return tuple(SourceLine(**row, num_kept=kept[row["uri"]]) for row in Table.read(folder / SOURCES).rows())


def _remarks(record: SourceRecord) -> str:
    said = [record.reason, record.damage, *record.lost[:3], *record.notes[:3]]
    if record.state == "done" and not (record.rows or record.lost):
        said.insert(0, TOO_SHORT)
    return "; ".join(text for text in said if text)
