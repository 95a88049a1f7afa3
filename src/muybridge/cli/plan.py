"""Say beforehand what a film takes, memory and time, and the fastest way that fits. Nothing is fetched or computed.

Examples:

  muybridge plan --model gallop
  muybridge plan --model gallop --image horse.png --frames 33
  muybridge plan --model gallop --frames 401
  muybridge plan --model hunyuanvideo --size 1280x720 --frames 129 --memory 12GiB
  muybridge plan --model hunyuanvideo --device 4090 --size 540p
  muybridge plan --model hunyuanvideo --device h200 --speed 2x --json
  muybridge plan --model path/to/folder --steps 6 --quantise int8

A device that is not here, such as h200 or 4090-16GiB, is taken from its data sheet; this machine is measured, once.
"""

import json
from typing import Annotated, Any

import typer
from rich.console import Console

import muybridge
from muybridge.cli import options, rooms

MAX_WIDTH = 160  # columns; more are not read


def command(
    *,
    model: options.Model = options.DEFAULT_MODEL,
    size: options.Size = None,
    aspect: options.Aspect = None,
    frames: options.Frames = None,
    window: options.Window = None,
    context: options.Context = None,
    image: options.Image = None,
    steps: options.Steps = None,
    cfg: options.Cfg = None,
    sampler: options.Sampler = None,
    quality: options.Quality = None,
    speed: options.Speed = None,
    batch: Annotated[int, typer.Option(help="Films denoised together.", min=1, max=64)] = 1,
    memory: options.Memory = "auto",
    host_memory: Annotated[
        str, typer.Option(metavar="auto|AMOUNT", help="The same of the host, beside an accelerator.")
    ] = "auto",
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="cpu, cuda, or one from a data sheet: h200, 4090, 4090-16GiB.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="float32, bfloat16 or float16. Default: chosen.")] = None,
    quantise: options.Quantise = None,
    weights: options.Weights = None,
    vae_mode: options.VaeMode = None,
    measures_anew: Annotated[bool, typer.Option("--measure", help="Measure this machine again.")] = False,
    is_json: options.IsJson = False,
) -> None:
    """Plan one film and print it."""
    asked = muybridge.Settings.of(locals() | {"seed": 0}).identified()
    facts, defaults = rooms.described(model)
    [request] = asked.requests(["any"], defaults)
    rooms.StepCache.of(request, model=facts.name)  # raises where the budget cannot be kept
    console = Console(stderr=True)
    with console.status("measuring this machine"):
        machine = rooms.device_named(device, anew=measures_anew)
    wanted: dict[str, Any] = {"dtype": dtype, "quantise": quantise, "weights": weights, "vae_mode": vae_mode}
    plan = rooms.choose(
        facts,
        rooms.work_of(request, batch_size=batch),
        machine,
        limits=rooms.limits_of(machine, memory=memory, host_memory=host_memory),
        wanted={name: value for name, value in wanted.items() if value is not None},
    )
    if is_json:
        print(json.dumps(rooms.as_dict(plan), indent=2))
        return
    out = Console()
    out.width = min(out.width, MAX_WIDTH) if out.is_terminal else MAX_WIDTH
    out.print(rooms.tables(plan))
