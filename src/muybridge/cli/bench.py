"""Measure this machine with a model: its ceilings, and what each phase of a film takes beside what was predicted.

Examples:

  muybridge bench
  muybridge bench --size 256x256 --frames 33 --steps 30
  muybridge bench --dtype bfloat16 --quantise int8 -o int8.md
  muybridge bench --model hunyuanvideo --size 544x960 --memory 24GiB
  muybridge bench --json

A few short films are made and thrown away; a whole one is worked out from them. Other work on the machine slows it.
"""

import datetime
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import muybridge
from muybridge.cli import options, rooms
from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import ByteBars, StageBars, amount
from muybridge.core.config import to_dict
from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path

if TYPE_CHECKING:
    from muybridge import Pipeline
    from muybridge.acceleration.device import Device, Rate
    from muybridge.evaluation.speed import Share, Speed

Row = tuple[str, ...]


def command(
    *,
    model: options.Model = options.DEFAULT_MODEL,
    size: options.Size = None,
    aspect: options.Aspect = None,
    frames: options.Frames = None,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    sampler: options.Sampler = None,
    device: options.ComputeDevice = None,
    dtype: options.Dtype = None,
    memory: options.Memory = "auto",
    quantise: options.Quantise = None,
    weights: options.Weights = None,
    vae_mode: options.VaeMode = None,
    attention: options.Attention = None,
    compiles: options.Compiles = False,
    repeats: Annotated[int, typer.Option(help="Films after the first one.", min=1, max=100)] = 3,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.md", help="Write the tables there too.")
    ] = None,
    is_json: options.IsJson = False,
) -> None:
    """Load, measure, print."""
    if output is not None:
        _check_report(output)
    console = Console(stderr=True)
    films = muybridge.Settings(size=size, aspect=aspect, frames=frames, steps=steps, cfg=cfg, sampler=sampler, seed=0)
    wanted = {"quantise": quantise, "weights": weights, "vae_mode": vae_mode, "attention": attention}
    run = muybridge.RunChoice(films=films, memory=memory, wanted={**wanted, "compiles": compiles})
    pipe, load_s = _loaded(model, device=device, dtype=dtype, run=run, console=console)
    [request] = pipe.requests([rooms.SPEED_PROMPT], films)
    pipe.check([request], memory=memory)
    machine = partial(rooms.device_named, pipe.device.type, anew=True)
    with StageBars(console, num_films=1 + repeats) as bars:
        speed = rooms.measure_speed(
            pipe, request, machine=machine, load_s=load_s, repeats=repeats, memory=memory, on_progress=bars.show
        )
    report = _report(speed, chosen=rooms.unusual(speed.settings, device=pipe.device))
    if output is not None:
        with atomic_path(output) as temporary:
            temporary.write_text(report, encoding="utf-8")
    print(json.dumps(_as_dict(speed), indent=2) if is_json else report, end="\n" if is_json else "")


def _check_report(path: Path) -> None:
    if path.suffix != ".md":
        raise invalid(f"output {path}", "tables are written as Markdown", f"name it {path.stem or 'speed'}.md")
    check_writable(path)


def _loaded(
    model: str,
    *,
    device: options.Device | None,
    dtype: options.Precision | None,
    run: "muybridge.RunChoice",
    console: Console,
) -> "tuple[Pipeline, float]":
    """The model, and the seconds it took; what Python imports for it is not counted."""
    load = muybridge.load
    with ByteBars(console) as bars, console.status(f"loading {model}"):
        started = time.perf_counter()
        pipe = load(model, device=device, dtype=dtype, run=run, on_message=console.print, on_download=bars.show)
        return pipe, time.perf_counter() - started


def _report(speed: "Speed", *, chosen: Sequence[str]) -> str:
    """All of it in Markdown that reads well as it is; `chosen`: how the model is run, in words."""
    work = speed.work
    lines = [
        f"# {speed.model.name} on {speed.machine.name}",
        "",
        f"{work.width}x{work.height}, {work.num_frames} frames, {work.num_steps} steps of {work.passes:g} evaluations, "
        f"{', '.join([str(speed.settings.dtype), *chosen])}.",
        f"{datetime.date.today()}, load {os.getloadavg()[0]:.1f} at the end; {speed.machine.source}.",
        "",
        *_table(("ceiling", "small", "large"), _ceilings(speed.machine)),
        "",
        *_table(("phase", "first film", "next films", "predicted", "rate"), _phases(speed)),
    ]
    return "\n".join(lines) + "\n"


def _ceilings(machine: "Device") -> Iterator[Row]:
    """What this machine reaches at best."""
    kinds = {"products": machine.matmul, "attention": machine.attention, "convolution": machine.convolution}
    for kind, rates in kinds.items():
        for dtype, rate in rates.items():
            yield (f"{kind}, {dtype}", *_both(rate))
    yield "copies on the device", "", f"{machine.copy_rate / 1e9:.1f} GB/s"
    yield "copies to the device", "", f"{machine.host_rate / 1e9:.1f} GB/s"
    yield "reads from the disk", "", f"{machine.disk_rate / 1e9:.2f} GB/s"
    yield "calls", f"{machine.call_s * 1e6:.1f} µs", ""


def _both(rate: "Rate") -> tuple[str, str]:
    return _rate(rate[0]), _rate(rate[1])


def _phases(speed: "Speed") -> Iterator[Row]:
    first, usual, predicted = speed.first, speed.usual, speed.predicted
    steps = speed.work.num_steps
    evaluation, whole = _seconds(speed.predicted_evaluation_s), predicted.seconds - predicted.of("load").seconds
    network, decoding = _share(speed.network, "large products"), _share(speed.decoding, "large convolutions")
    denoised = [_seconds(film.prepare + steps * film.step) for film in (first, usual)]
    yield "load", _seconds(speed.load_s), "", _seconds(speed.predicted_load_s), ""
    yield "text", _seconds(first.text), _seconds(usual.text), _seconds(predicted.of("text").seconds), ""
    yield "before the first step", _seconds(first.prepare), _seconds(usual.prepare), "", ""
    yield "one evaluation", "", _seconds(speed.evaluation_s), evaluation, network
    yield f"all {steps} steps", *denoised, _seconds(predicted.of("denoise").seconds), ""
    yield "decode", _seconds(first.decode), _seconds(usual.decode), _seconds(predicted.of("decode").seconds), decoding
    yield "whole film", _seconds(first.total(steps)), _seconds(usual.total(steps)), _seconds(whole), ""
    yield "peak memory", "", amount(speed.peak_bytes), amount(speed.predicted_peak_bytes), ""


def _share(share: "Share", ceiling: str) -> str:
    return f"{share.flops / 1e12:.3g} TFLOP, {_rate(share.flops_per_s)}, {share.of_ceiling:.0%} of {ceiling}"


def _rate(flops_per_s: float) -> str:
    return f"{flops_per_s / 1e12:.3g} TFLOP/s"


def _seconds(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else rooms.duration_words(seconds)


def _table(columns: Row, rows: Iterator[Row]) -> Iterator[str]:
    """Lines of a Markdown table whose columns stand under each other."""
    cells = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]) for row in cells]
    yield from (lines[0], _line(["-" * width for width in widths]), *lines[1:])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _as_dict(speed: "Speed") -> dict[str, Any]:
    steps, predicted = speed.work.num_steps, speed.predicted
    return {
        "model": speed.model.name,
        "request": to_dict(speed.work),
        "settings": to_dict(speed.settings),
        "machine": to_dict(speed.machine),
        "load_s": speed.load_s,
        "first_film": to_dict(speed.first) | {"total": speed.first.total(steps)},
        "next_films": to_dict(speed.usual) | {"total": speed.usual.total(steps)},
        "evaluation": to_dict(speed.network) | {"seconds": speed.evaluation_s},
        "decoding": to_dict(speed.decoding) | {"seconds": speed.usual.decode},
        "peak_bytes": speed.peak_bytes,
        "predicted": {
            **{phase.name: phase.seconds for phase in predicted.phases},
            "load": speed.predicted_load_s,
            "evaluation": speed.predicted_evaluation_s,
            "peak_bytes": speed.predicted_peak_bytes,
        },
    }
