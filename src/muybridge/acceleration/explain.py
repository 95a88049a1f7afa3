"""A plan in words, as tables for people and as plain data for machines."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from muybridge.acceleration.estimate import Phase, estimate
from muybridge.acceleration.memory import in_words
from muybridge.acceleration.plan import Candidate, Plan, alternatives
from muybridge.acceleration.quantise import SCHEMES
from muybridge.acceleration.settings import RunSettings
from muybridge.core.config import to_dict

# Each choice: how it reads where it was made, by its value; other values read as themselves.
_WORDS: dict[str, dict[Any, str]] = {
    "dtype": {},
    "quantise": {None: "weights are not quantised"} | {name: f"weights in {name}" for name in SCHEMES},
    "weights": {
        "device": "all weights on the device",
        "host": "blocks wait on the host and come one by one",
        "disk": "blocks wait on the disk and come one by one",
    },
    "text_weights": {
        "device": "prompts encoded on the device",
        "host": "prompts encoded by the host's processor",
        "disk": "the text encoder's layers wait on the disk and come one by one",
    },
    "keeps_text": {True: "the text encoder stays", False: "the text encoder is released before the first step"},
    "evicts_modulation": {True: "modulation weights become a table", False: "modulation weights stay"},
    "chunk_tokens": {None: "all tokens at once"},
    "vae_mode": {
        "whole": "films decoded whole",
        "exact": "films decoded in pieces, equal to whole",
        "spill": "films decoded in pieces that wait elsewhere, equal to whole",
        "stream": "films decoded frame by frame",
        "tiled": "films decoded in the released tiles",
    },
}


# Of any value; compiling and attention are asked for, never planned.
_PATTERNS = {"chunk_tokens": "{} tokens at a time", "attention": "attention by {}", "compiles": "blocks are compiled"}


def choice_words(name: str, value: Any) -> str:
    """One setting as people read it."""
    return _WORDS.get(name, {}).get(value, _PATTERNS.get(name, "{}").format(value))


def why(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """Each setting by its name, in words, and what its plain value would take where another one was chosen."""
    for name in _WORDS:
        value, plain = getattr(plan.settings, name), plain_value(plan, name)
        reason = "" if value == plain else _compared(plan, replace(plan.settings, **{name: plain}))
        yield name, choice_words(name, value), reason


def plain_value(plan: Plan, name: str) -> Any:
    """The value that is tried first."""
    return getattr(plan.candidates[0].settings, name)


def as_dict(plan: Plan) -> dict[str, Any]:
    """All of it, ready for JSON."""
    return {
        "model": plan.model.name,
        "request": to_dict(plan.work),
        "device": {
            "name": plan.device.name,
            "is_nominal": plan.device.is_nominal,
            "source": plan.device.source,
            "limit_bytes": plan.limits.device_bytes,
            "host_limit_bytes": plan.limits.host_bytes,
        },
        "settings": to_dict(plan.settings),
        **_numbers(plan.chosen),
        "phases": [
            {"name": phase.name, "peak_bytes": phase.num_bytes, "seconds": phase.seconds, "parts": dict(phase.parts)}
            for phase in plan.chosen.phases.phases
        ],
        "reasons": {name: reason for name, _, reason in why(plan) if reason},
        "alternatives": [
            {"name": name, "value": value, "fits": found.fits(plan.limits), **_numbers(found)}
            for name, value, found in alternatives(plan)
        ],
    }


def tables(plan: Plan) -> Group:
    """What `muybridge plan` prints."""
    return Group(_heading(plan), _phase_table(plan), _choice_table(plan), *_alarms(plan), _alternative_table(plan))


def duration_words(seconds: float) -> str:
    """A time as people read it."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} days"


def _numbers(candidate: Candidate) -> dict[str, Any]:
    return {
        "peak_bytes": candidate.phases.peak_bytes,
        "host_bytes": candidate.phases.host_bytes,
        "seconds": candidate.phases.seconds,
        "changes": list(candidate.changes),
    }


def _compared(plan: Plan, settings: RunSettings) -> str:
    """What these settings would take."""
    phases = estimate(plan.model, plan.work, settings, plan.device)
    other = Candidate(settings=settings, phases=phases, changes=())
    fits = "" if other.fits(plan.limits) else ", which does not fit"
    host = f" and {in_words(phases.host_bytes)} of the host" if phases.host_bytes > plan.limits.host_bytes else ""
    return (
        f"with {choice_words(*_difference(plan.settings, settings))}: "
        f"{in_words(phases.peak_bytes)}{host}{fits}, {duration_words(phases.seconds)}"
    )


def _difference(ours: RunSettings, theirs: RunSettings) -> tuple[str, Any]:
    return next((name, getattr(theirs, name)) for name in _WORDS if getattr(theirs, name) != getattr(ours, name))


def _heading(plan: Plan) -> Text:
    work, phases = plan.work, plan.chosen.phases
    budget = "" if work.budget is None else f", {work.budget}"
    parts = f"{work.num_windows} windows of " if work.num_windows > 1 else ""
    length = f"{parts}{work.num_frames} frames{f' through {work.seen_frames}' if work.seen_frames else ''}"
    shape = f"{work.width}x{work.height}, {length}, {work.num_steps} steps{budget}"
    nominal = " (nominal, not measured)" if plan.device.is_nominal else ""
    return Text(
        f"{plan.model.name} at {shape} on {plan.device.name}{nominal}\n"
        f"peak {in_words(phases.peak_bytes)} of {in_words(plan.limits.device_bytes)}"
        f"{f', {in_words(phases.host_bytes)} of the host' if phases.host_bytes else ''}, "
        f"about {duration_words(phases.seconds)}\n"
        f"rates: {plan.device.source}\n"
    )


def _phase_table(plan: Plan) -> Table:
    table = _table("phase", "peak", "time", "of the peak")
    for phase in plan.chosen.phases.phases:
        table.add_row(phase.name, in_words(phase.num_bytes), duration_words(phase.seconds), _parts(phase))
    return table


def _parts(phase: Phase) -> str:
    largest = sorted(phase.parts.items(), key=lambda part: -part[1])
    return ", ".join(f"{name} {in_words(size)}" for name, size in largest if size * 50 > phase.num_bytes)


def _choice_table(plan: Plan) -> Table:
    table = _table("setting", "chosen", "why")
    for name, words, reason in why(plan):
        table.add_row(name, words, reason)
    return table


def _alarms(plan: Plan) -> Iterator[Text]:
    if plan.chosen.changes:
        yield Text(f"RESULTS CHANGE: {'; '.join(plan.chosen.changes)}\n", style="bold red")


def _alternative_table(plan: Plan) -> Table:
    table = _table("instead", "peak", "time", "results")
    for name, value, found in alternatives(plan):
        fits = "" if found.fits(plan.limits) else " (does not fit)"
        peak = f"{in_words(found.phases.peak_bytes)}{fits}"
        results = "; ".join(found.changes) or "the same"
        table.add_row(choice_words(name, value), peak, duration_words(found.phases.seconds), results)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column)
    return table
