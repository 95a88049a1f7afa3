"""How a curation is told on a terminal and to machines."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from muybridge.cli import rooms
from muybridge.cli.progress import amount

if TYPE_CHECKING:
    from muybridge.recipes.curation.results import Curated

MAX_SOURCES = 20  # named in a dry run; --json names all
MAX_TROUBLE = 3  # sources of which it is said why they gave nothing; the report names all


def show(found: Any, as_table: Callable[[Any], RenderableType], *, is_json: bool) -> None:
    """JSON as it is, else its table."""
    if is_json:
        print(json.dumps(found, indent=2))
        return
    console = Console(highlight=False)
    console.print(as_table(found), soft_wrap=not console.is_terminal)


def as_dict(done: "Curated") -> dict[str, Any]:
    """JSON-ready."""
    summary = done.summary or {}
    return {
        "clips": done.table.num_rows,
        "kept": int(done.decisions.is_kept.sum()),
        "rejected": {line.name: line.num_dropped for line in rooms.funnel(done.table, done.decisions)},
        "tiers": done.decisions.counts(),
        "sources": {state: sum(each.state == state for each in done.sources) for state in _states(done)},
        "captions": _captions(done),
        "clips_per_s": summary.get("clips_per_s"),
        "manifest": str(done.manifest),
        "report": str(done.report),
        "shards": {tier: str(path) for tier, path in done.shards.items()},
    }


def as_table(done: "Curated") -> RenderableType:
    """The funnel, the tiers, and where things lie."""
    funnel = _columns("stage", "in", "left out", "kept", "most by")
    for line in rooms.funnel(done.table, done.decisions):
        if line.is_measured:
            most = max(line.reasons, key=lambda reason: reason.num_dropped)
            why = f"{most.rule.column} {most.asked}" if most.num_dropped else ""
            funnel.add_row(line.name, f"{line.num_in:,}", f"{line.num_dropped:,}", f"{line.num_out:,}", Text(why))
    tiers = _columns("tier", "clips", "length", "shards")
    for tier in rooms.tier_lines(done.table, done.decisions):
        place = done.shards.get(tier.name)
        tiers.add_row(tier.name, f"{tier.num_clips:,}", rooms.length_words(tier.length_s), Text(str(place or "")))
    states = ", ".join(f"{sum(each.state == state for each in done.sources):,} {state}" for state in _states(done))
    lines = [f"{done.table.num_rows:,} clips of {len(done.sources):,} sources ({states})", *_trouble(done), ""]
    return Group(
        Text("\n".join(lines)),
        funnel,
        Text(),
        tiers,
        Text(f"\n{_about_captions(done)}manifest  {done.manifest}\nreport    {done.report}"),
    )


def planned_table(summary: Mapping[str, Any]) -> RenderableType:
    """What would be looked at and run."""
    sources = _columns("source", "size", "")
    for source in summary["sources"][:MAX_SOURCES]:
        size = "" if source["bytes"] is None else amount(source["bytes"])
        sources.add_row(Text(source["uri"]), size, Text(source["problem"] or ""))
    stages = _columns("stage", "")
    for name, said in summary["stages"].items():
        stages.add_row(name, said)
    num_more = len(summary["sources"]) - MAX_SOURCES
    more = [Text(f"and {num_more:,} more")] if num_more > 0 else []
    return Group(sources, *more, Text(), stages)


def _trouble(done: "Curated") -> list[str]:
    """Why sources gave no clip."""
    found = [each for each in done.sources if not each.num_clips]
    lines = [f"  {each.uri}: {each.remarks.removeprefix(f'{each.uri}: ')}" for each in found[:MAX_TROUBLE]]
    num_more = len(found) - MAX_TROUBLE
    return [*lines, f"  and {num_more:,} more, which the report names"] if num_more > 0 else lines


def _about_captions(done: "Curated") -> str:
    """A line where some failed: the same command tries them again."""
    captions = _captions(done)
    if not captions["failed"]:
        return ""
    return f"captions  {captions['written']:,} written, {captions['failed']:,} failed ({captions['problem']})\n"


def _captions(done: "Curated") -> dict[str, Any]:
    """How many there are, and what the first one failed of."""
    found = {name: int(done.table.present(name).sum()) for name in ("caption", "caption_problem")}
    problem = next(filter(None, done.table.values("caption_problem"))) if found["caption_problem"] else None
    return {"written": found["caption"], "failed": found["caption_problem"], "problem": problem}


def _states(done: "Curated") -> list[str]:
    return sorted({each.state for each in done.sources})


def _columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(names):
        is_figure = 0 < place and name in ("in", "left out", "kept", "clips", "length", "size")
        table.add_column(name, justify="right" if is_figure else "left", overflow="fold")
    return table
