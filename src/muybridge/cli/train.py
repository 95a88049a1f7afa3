"""Train a model from a recipe, stage by stage; the same command continues an interrupted run.

`gallop` runs all stages of the embedded model in order. Each stage keeps its checkpoints, metrics.jsonl and averaged
weights under OUT/STAGE.

Examples:

  muybridge train gallop --out runs/gallop
  muybridge train gallop-vae --out runs/small --set run.num_steps=200 --set run.batch_size=2
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import StepBars
from muybridge.core.config import parse_overrides
from muybridge.core.errors import invalid
from muybridge.recipes.launch import STAGES, run_all, run_stage

_NAMES = ", ".join(f"{name} ({stage.summary})" for name, stage in STAGES.items())


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=f"gallop (all stages), or one of: {_NAMES}.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the stages keep what they make.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting, as run.num_steps=100.")
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print where the result lies."""
    overrides = parse_overrides(changes or [])
    if recipe == "gallop" and overrides:
        raise invalid("--set with gallop", "its stages have different settings", "set them on one stage, by its name")
    check_writable(out / recipe / "metrics.jsonl")
    try:
        with StepBars(Console(stderr=True)) as bars:
            if recipe == "gallop":
                result = run_all(out, report=bars.show, say=_say)
            else:
                result = run_stage(recipe, out, changes=overrides, report=bars.show, say=_say)
    except KeyboardInterrupt:
        _say("the same command continues from the last checkpoint")
        raise
    print(json.dumps({"recipe": recipe, "result": str(result)}) if is_json else result)


def _say(line: str) -> None:
    print(line, file=sys.stderr)
