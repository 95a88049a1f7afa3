"""Tables of thresholds as TOML: a table for each column, with a limit for each tier.

[motion.motion]
at_least = { 256p = 0.01, 360p = 0.02, 540p = 0.02, 720p = 0.03, finetune = 0.05 }

[marks.mark_kind]
none_of = ["watermark", "logo"]      # one limit for all tiers

[blur.sharpness]
at_least = 0.1
required = true                      # a missing value fails
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from muybridge.core.errors import InvalidInput, invalid
from muybridge.curation.thresholds import KINDS, TIERS, Kind, Limit, Rule, Thresholds


def read_thresholds(path: Path) -> Thresholds:
    """The table in a file. Raises InvalidInput, with the row named, where it is none."""
    try:
        return parse_thresholds(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read ({error.strerror}); check the name.") from None
    except InvalidInput as error:
        raise InvalidInput(f"{path.name}: {error}") from None
    except ValueError as error:  # also of bytes that are not UTF-8
        raise InvalidInput(f"{path}: not TOML ({error}); mend it, or begin with --show-thresholds.") from None


def parse_thresholds(text: str) -> Thresholds:
    """The table in a text. Raises InvalidInput on a wrong row, ValueError where it is not TOML."""
    rules = []
    for stage, columns in tomllib.loads(text).items():
        if not isinstance(columns, Mapping):
            raise invalid(stage, "stands for a stage and needs a table", f"write [{stage}.column]")
        for column, row in columns.items():
            rules += _rules(stage, column, row)
    return Thresholds(rules=tuple(rules))


def written(thresholds: Thresholds) -> str:
    """The table as TOML, which reads back equal; rules of one column stand together."""
    lines: list[str] = []
    for stage, column in dict.fromkeys((rule.stage, rule.column) for rule in thresholds.rules):
        rows = [rule for rule in thresholds.rules if (rule.stage, rule.column) == (stage, column)]
        lines += ["", f"[{stage}.{column}]", *(f"{rule.kind} = {_written(rule.limits)}" for rule in rows)]
        lines += ["required = true"] * any(rule.is_required for rule in rows)
    return "\n".join(lines).strip() + "\n"


def _rules(stage: str, column: str, row: Any) -> list[Rule]:
    name = f"{stage}.{column}"
    if not isinstance(row, Mapping):
        raise invalid(
            f"{name} = {row!r}", "a column needs a table of rules", f"write [{name}] and at_least = ... below"
        )
    if unknown := sorted(row.keys() - {*KINDS, "required"}):
        raise invalid(f"{name}: {unknown[0]}", "is no kind of rule", f"use one of {', '.join(KINDS)}, required")
    is_required = row.get("required", False)
    if not isinstance(is_required, bool):
        raise invalid(f"{name}: required = {is_required!r}", "is true or false", "write required = true")
    return [
        Rule(stage=stage, column=column, kind=kind, limits=_limits(row[kind]), is_required=is_required)
        for kind in _kinds(row)
    ]


def _kinds(row: Mapping[str, Any]) -> list[Kind]:
    return [kind for kind in KINDS if kind in row]


def _limits(given: Any) -> dict[str, Limit]:
    """A map from tier to limit; a limit alone is that of all tiers."""
    by_tier: Mapping[str, Any] = given if isinstance(given, Mapping) else dict.fromkeys(TIERS, given)
    return {tier: _limit(limit) for tier, limit in by_tier.items()}


def _limit(given: Any) -> Limit:
    return tuple(given) if isinstance(given, list) else given


def _written(limits: Mapping[str, Limit]) -> str:
    values = [_value(limit) for limit in limits.values()]
    if set(limits) == set(TIERS) and len(set(values)) == 1:
        return values[0]
    return "{ " + ", ".join(f"{tier} = {value}" for tier, value in zip(limits, values, strict=True)) + " }"


def _value(limit: Limit) -> str:
    return json.dumps(list(limit) if isinstance(limit, tuple) else limit, ensure_ascii=False)
