"""Encode films, pictures and captions once, so that training reads latents and text states instead of files.

DATA is a folder of films and pictures with captions beside them (clip.mp4, clip.txt), a folder with a metadata.csv,
.jsonl, .json or .parquet, such a table itself, WebDataset tars, or a TOML description of musubi-tuner or
diffusion-pipe. A table says where every input went, and why what is left out is left out. What another run has encoded
into DIR is used again; an interrupted run continues by the same command.

Examples:

  muybridge encode clips/ --dry-run
  muybridge encode clips/ --out encoded
  muybridge encode clips/ --out encoded --resolution 128 --resolution 192x128 --frames 17 --frames 33 --extract chunk
  muybridge encode dataset.toml --out encoded --vae runs/mine/vae.safetensors --name mine
"""

import json
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.progress import StepBars
from muybridge.core.env import cache_folder
from muybridge.core.errors import InvalidInput, RunFailed, invalid

if TYPE_CHECKING:
    from muybridge.data.encode import EncodeConfig
    from muybridge.data.planning import Plan
    from muybridge.data.probes import ProbeCache
    from muybridge.data.report import Report


class Extract(StrEnum):
    """What is taken of a film longer than its bucket."""

    head = "head"
    middle = "middle"
    chunk = "chunk"
    slide = "slide"
    uniform = "uniform"
    full = "full"


class Crop(StrEnum):
    """Which part is kept."""

    centre = "centre"
    smart = "smart"


class Device(StrEnum):
    """Where to compute."""

    cpu = "cpu"
    cuda = "cuda"


def command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder, table, tar or TOML description.")],
    *,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where encoded data are kept.")] = None,
    name: Annotated[str | None, typer.Option(help="What the set is called in DIR. Default: DATA's name.")] = None,
    vae: Annotated[str, typer.Option(metavar="MODEL", help="Catalogue name, file or folder with the VAE.")] = "gallop",
    text: Annotated[
        str, typer.Option(metavar="MODEL", help="Model whose text encoder reads; `words` needs no weights.")
    ] = "gallop",
    resolution: Annotated[
        list[str] | None, typer.Option(metavar="PX|WxH", help="Area of the buckets; repeat it. Default: 128.")
    ] = None,
    aspects: Annotated[int, typer.Option(help="Aspects from 1:2 to 2:1 for each area; 1: as given.")] = 7,
    frames: Annotated[
        list[int] | None, typer.Option(help="Lengths, 4n+1; 1 is for pictures; repeat it. Default: 1 and 17.")
    ] = None,
    extract: Annotated[Extract, typer.Option(help="What is taken of longer films.")] = Extract.head,
    fps: Annotated[float | None, typer.Option(help="Read films at this rate. Default: their own.")] = None,
    interval: Annotated[int, typer.Option(help="Take every n-th frame.")] = 1,
    max_upscale: Annotated[float, typer.Option(help="Most that an input may be enlarged.")] = 1.0,
    max_crop: Annotated[float, typer.Option(help="Largest share of the picture that may be cut off.")] = 0.5,
    crop: Annotated[
        Crop, typer.Option(help="Which part is kept: the centre, or the one with most detail.")
    ] = Crop.centre,
    needs_captions: Annotated[
        bool, typer.Option("--captions/--no-captions", help="Leave out what has no caption.")
    ] = True,
    batch_tokens: Annotated[int, typer.Option(help="Tokens of a batch, for the table's batch sizes.")] = 4096,
    device: Annotated[Device | None, typer.Option(help="Default: cuda where there is one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the table, encode nothing.")] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines, every input named.")] = False,
) -> None:
    """Print where every input went, and where the encoded set lies."""
    buckets = rooms.BucketsConfig(
        resolutions=tuple(_size(item) for item in resolution or ["128"]),
        num_aspects=aspects,
        frames=tuple(frames or (1, 17)),
        extraction=extract.value,
        fps=fps,
        frame_interval=interval,
        max_upscale=max_upscale,
        max_crop=max_crop,
        crop=crop.value,
    )
    config = rooms.DataConfig(buckets=buckets, needs_captions=needs_captions, budget_tokens=batch_tokens)
    if out is None and not dry_run:
        raise invalid("no --out", "encoded data need a place", "name a folder, or ask for --dry-run")
    settings = rooms.EncodeConfig(
        name=name or re.sub(r"[^\w.-]+", "-", data.resolve().stem), budget_tokens=batch_tokens
    )
    probes = rooms.ProbeCache(cache_folder() / rooms.PROBES_FILE)
    console = Console(stderr=True)
    with StepBars(console) as bars:
        planned = rooms.plan(
            rooms.open_source(data, buckets=buckets), config, probes=probes,
            on_progress=lambda done, total: bars.show("looking", done, total, {}),
        )  # fmt: skip
    if dry_run or out is None or planned.report.num_taken == 0:
        _print(planned.report, None, is_json=is_json)
        _check_any(planned.report, data)
        return
    report = _encode(planned, out, settings, probes=probes, models=(vae, text), device=device, console=console)
    _print(report, rooms.set_path(out, settings.name), is_json=is_json)
    _check_any(report, data)


def _encode(
    planned: "Plan",
    out: Path,
    settings: "EncodeConfig",
    *,
    probes: "ProbeCache",
    models: tuple[str, str],
    device: Device | None,
    console: Console,
) -> "Report":
    place = None if device is None else device.value
    encoders = rooms.open_encoders(*models, device=place, say=lambda line: print(line, file=sys.stderr))
    with StepBars(console) as bars:
        return rooms.encode(
            planned, out, config=settings, encoders=encoders, probes=probes,
            on_progress=lambda what, done, total: bars.show(what, done, total, {}),
        )  # fmt: skip


def _size(given: str) -> tuple[int, int]:
    """`256` is a square, `320x192` a width and a height."""
    parts = given.lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isdigit() for part in parts):
        raise InvalidInput(f"resolution {given}: is a side or WIDTHxHEIGHT; write 256 or 320x192.")
    return int(parts[0]), int(parts[-1])


def _print(report: "Report", path: Path | None, *, is_json: bool) -> None:
    if is_json:
        print(json.dumps({"set": None if path is None else str(path), **report.to_dict()}, indent=2))
        return
    console = Console(highlight=False)
    console.print(report.table(), soft_wrap=not console.is_terminal)
    if path is not None:
        print(path)


def _check_any(report: "Report", data: Path) -> None:
    if report.num_taken == 0:
        raise RunFailed(f"{data}: none of {len(report.rows)} inputs can be used; the table says why.")
