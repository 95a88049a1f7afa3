"""The report's page: one file without scripts or addresses, and pictures beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from muybridge.core.errors import MissingExtra
from muybridge.core.files import atomic_path
from muybridge.curation.decide import Decisions
from muybridge.curation.output.table import Table
from muybridge.curation.report.concepts import concept_lines, duplicate_pairs
from muybridge.curation.report.examples import Example, dropped_rows, example, kept_rows, said_of, shown
from muybridge.curation.report.funnel import Reason, StageLine, funnel, tier_lines
from muybridge.curation.report.histograms import histograms

try:
    import jinja2
except ImportError:
    jinja2 = None

MAX_SOURCES = 300  # rows of the page; the manifest has all


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceLine:
    """What became of a source."""

    uri: str
    state: str
    num_clips: int
    num_kept: int
    remarks: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownReason:
    """A rule with clips on both sides of it."""

    reason: Reason
    dropped: tuple[Example, ...]
    kept: tuple[Example, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownStage:
    """A stage with its rules."""

    line: StageLine
    reasons: tuple[ShownReason, ...]


def write_report(
    folder: Path,
    table: Table,
    decisions: Decisions,
    *,
    sources: Sequence[SourceLine],
    summary: Mapping[str, Any] | None = None,
) -> Path:
    """Write `folder`/report/index.html and its pictures from the decided table; the page's path.

    summary: the run's, as summary.json has it. Raises MissingExtra without jinja2.
    """
    if jinja2 is None:
        raise MissingExtra("the report: needs jinja2; run pip install 'muybridge[curate]'.")
    trouble = [source for source in sources if source.remarks]
    rest = [source for source in sources if not source.remarks]
    pairs = duplicate_pairs(folder, table)
    content = {
        "kept": {
            "num_clips": table.num_rows,
            "num_kept": int(decisions.is_kept.sum()),
            "num_bare": _num_bare(table, decisions),
            "digest": decisions.thresholds.digest,
            "versions": ", ".join(sorted(set(table.values("stage_version")))) if "stage_version" in table.names else "",
        },
        "stages": [_shown_stage(folder, table, decisions, line=line) for line in funnel(table, decisions)],
        "tiers": tier_lines(table, decisions),
        "charts": histograms(table, decisions.thresholds),
        "concepts": concept_lines(folder, table, decisions),
        "duplicates": pairs.shown,
        "num_duplicates": pairs.num_all,
        "sources": sources,
        "trouble": trouble,
        "shown_sources": [*trouble, *rest][:MAX_SOURCES],
        "timings": _timings(summary),
    }
    path = folder / "report" / "index.html"
    with atomic_path(path) as temporary:
        temporary.write_text(_template().render(content), encoding="utf-8")
    return path


def _template() -> Any:
    assert jinja2 is not None
    world = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    world.filters |= {
        "number": lambda count: f"{count:,}",
        "value": shown,
        "percent": lambda share: f"{100 * share:.1f} %",
        "words": lambda name: name.replace("_", " "),
        "length_words": length_words,
    }
    return world.get_template("page.html")


def _num_bare(table: Table, decisions: Decisions) -> int:
    """Kept clips in which faces were left as they are without consent."""
    return int((table.numbers("faces_safe") == 0)[decisions.is_kept].sum()) if "faces_safe" in table.names else 0


def length_words(seconds: float) -> str:
    """`45 s`, `12 min`, `3.4 h`; nothing for pictures."""
    if seconds <= 0:
        return ""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:,.1f} h"


def _shown_stage(folder: Path, table: Table, decisions: Decisions, *, line: StageLine) -> ShownStage:
    reasons = tuple(
        ShownReason(
            reason=reason,
            dropped=_examples(folder, table, dropped_rows(table, decisions, reason.number), reason=reason),
            kept=_examples(folder, table, kept_rows(table, decisions, reason.number), reason=reason),
        )
        for reason in line.reasons
        if reason.is_measured or reason.num_dropped
    )
    return ShownStage(line=line, reasons=reasons)


def _examples(folder: Path, table: Table, rows: Sequence[int], *, reason: Reason) -> tuple[Example, ...]:
    return tuple(example(folder, table, row, said=said_of(table, row, reason.rule)) for row in rows)


def _timings(summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Of a run that did something."""
    if not summary or not summary.get("num_sources_now"):
        return None
    said = (
        f"{summary['num_clips_now']:,} clips of {summary['num_sources_now']:,} sources in {summary['seconds']:,.0f} s "
        f"by {summary['num_workers']} workers: {summary['clips_per_s']:.2f} clips/s."
    )
    stages = [(name, figures["seconds"], figures["busy_percent"]) for name, figures in summary["stages"].items()]
    stages.sort(key=lambda stage: -stage[1])
    return {"said": said, "stages": stages}
