"""Train a model from a recipe, stage by stage; the same command continues an interrupted run.

A family such as `gallop` runs all its stages in order. Each stage keeps its checkpoints, metrics.jsonl, sample sheets
and averaged weights under OUT/STAGE. SIGTERM and the first Ctrl-C save before they stop; a second Ctrl-C does not.
--data trains a transformer on films and pictures of your own, as `muybridge encode` wrote them; a set there called
held-out is validated on. A VAE takes the films as they are, at every 1st to 8th of their frames, a twentieth held out.

Examples:

  muybridge train gallop --out runs/gallop
  muybridge train gallop --out runs/gallop --dry-run
  muybridge train gallop-vae --out runs/small --set run.num_steps=200 --set run.batch_size=2
  muybridge train finetune --data encoded --model gallop --out runs/mine
  muybridge train gallop-vae-curriculum --data clips --out runs/vae
"""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from muybridge import recipes
from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import StepBars, duration
from muybridge.core.config import parse_overrides
from muybridge.core.errors import Stopped, invalid
from muybridge.recipes.names import SUMMARIES

if TYPE_CHECKING:
    from muybridge.recipes import StagePlan

_NAMES = ", ".join(f"{name} ({summary})" for name, summary in SUMMARIES.items())


def command(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=f"One of: {_NAMES}.")],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the stages keep what they make.")],
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Change a setting, as run.num_steps=100.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where muybridge encode put your data; for VAEs, your films.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The encoded set, where DIR holds several.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="MODEL", help="With --data: catalogue name or folder to start from.")
    ] = None,
    is_dry: Annotated[
        bool,
        typer.Option("--dry-run", help="Print parameters, operations, memory, time and data; train nothing."),
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print where the result lies."""
    overrides = parse_overrides(changes or [])
    is_family = recipe in recipes.FAMILIES
    if is_family and overrides:
        rule = "its stages have different settings"
        raise invalid(f"--set with {recipe}", rule, "set them on one stage, by its name")
    if data is None and (name or model):
        raise invalid("--name or --model", "go with --data", "say where your encoded data are")
    own = None if data is None else recipes.OwnData(folder=data, name=name, model=model)
    if is_dry:
        _print_plans(recipes.plan_stages(recipe, out, changes=overrides, data=own), is_json=is_json)
        return
    check_writable(out / recipe / "metrics.jsonl")
    try:
        with _stops_on_sigterm(), StepBars(Console(stderr=True)) as bars:
            if is_family:
                family = recipes.FAMILIES[recipe]
                result = recipes.run_all(out, report=bars.show, say=_say, family=family, data=own)
            elif own is not None:
                result = recipes.run_on_data(recipe, out, own, changes=overrides, report=bars.show, say=_say)
            else:
                result = recipes.run_stage(recipe, out, changes=overrides, report=bars.show, say=_say)
    except Stopped as stopped:  # no failure: whoever scheduled this run may start the same command again
        _say(str(stopped))
        return
    except KeyboardInterrupt:
        _say("the same command continues from the last checkpoint")
        raise
    print(json.dumps({"recipe": recipe, "result": str(result)}) if is_json else result)


@contextmanager
def _stops_on_sigterm() -> Iterator[None]:
    """Outside of training's steps, as while latents are encoded, SIGTERM stops at once; what is finished is kept."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped("told to stop; the same command continues.")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_plans(plans: "list[StagePlan]", *, is_json: bool) -> None:
    if is_json:
        print(json.dumps([_plain(plan) for plan in plans]))
        return
    for plan in plans:
        print("\n".join(_lines(plan)))


def _plain(plan: "StagePlan") -> dict[str, Any]:
    whole = asdict(plan)
    numbers = whole.pop("plan")
    if plan.plan is not None and numbers is not None:
        numbers |= {"memory_bytes": plan.plan.memory_bytes, "total_s": plan.plan.total_s}
    return whole | {"plan": numbers}


def _lines(stage: "StagePlan") -> Iterator[str]:
    yield stage.name
    plan = stage.plan
    if plan is not None:
        yield f"  model   {plan.num_parameters / 1e6:,.1f} M parameters"
        yield f"  step    {stage.work}: {plan.step_flops / 1e12:,.3g} TFLOP"
        parts = f"{_gigabytes(plan.state_bytes)} for weights, gradients, average, optimizer"
        yield f"  memory  {_gigabytes(plan.memory_bytes)}: {parts}; {_gigabytes(plan.activation_bytes)} for activations"
        yield f"  disk    {_gigabytes(plan.checkpoint_bytes)} a checkpoint"
        rate = f"{plan.step_flops / plan.step_s / 1e9:,.0f} GFLOP/s as timed here"
        yield f"  time    {duration(plan.total_s)}: {plan.num_steps:,} steps of {plan.step_s:.3g} s, {rate}"
    else:
        yield f"  work    {stage.work}"
    yield f"  data    {stage.data}"
    num_samples = sum(bucket.num_samples for bucket in stage.buckets)
    for bucket in stage.buckets:
        share = f"{bucket.num_samples:,} samples ({bucket.num_samples / num_samples:.0%})"
        yield f"          {bucket.name}: {share} of {bucket.num_tokens:,} tokens, {bucket.batch_size} a step"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.3g} GB"


def _say(line: str) -> None:
    print(line, file=sys.stderr)
