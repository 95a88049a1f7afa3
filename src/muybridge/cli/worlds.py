"""Look into the training worlds: a contact sheet of their clips, one clip a row with its caption.

Examples:

  muybridge worlds sprites --preview sheet.png
  muybridge worlds sprites --preview sheet.png --clips 20 --seed 3
"""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from muybridge.core.errors import invalid
from muybridge.weights.assets import ensure
from muybridge.worlds import SpritesConfig, SpritesWorld
from muybridge.worlds.preview import write_sheet

MAX_CLIPS = 200  # convention: beyond it no viewer opens the sheet


class WorldName(StrEnum):
    """The worlds there are."""

    sprites = "sprites"


def command(
    world: Annotated[WorldName, typer.Argument(help="Which world.")],
    *,
    preview: Annotated[Path, typer.Option(metavar="FILE", help="The sheet to write, a .png.")],
    clips: Annotated[int, typer.Option(help="How many clips.")] = 12,
    start: Annotated[int, typer.Option(help="The first clip's number.")] = 0,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 0,
    size: Annotated[int, typer.Option(metavar="PX", help="Side of a frame.")] = 128,
    frames: Annotated[int, typer.Option(help="Frames of a clip, 4n+1.")] = 17,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Draw the clips and write the sheet."""
    if not 1 <= clips <= MAX_CLIPS:
        raise invalid(f"clips={clips}", f"a sheet holds 1 to {MAX_CLIPS}", "use 12")
    if start < 0:
        raise invalid(f"start={start}", "clips are numbered from 0", "use 0")
    if preview.suffix.lower() != ".png":
        raise invalid(str(preview), "a sheet is a .png", f"use {preview.with_suffix('.png')}")
    config = SpritesConfig(width_px=size, height_px=size, num_frames=frames, seed=seed)
    folder = ensure("fluent-emoji-anim", on_progress=lambda line: print(line, file=sys.stderr))
    write_sheet(SpritesWorld(config, folder), num_clips=clips, path=preview, start=start)
    print(json.dumps({"path": str(preview), "world": world.value, "clips": clips}) if is_json else preview)
