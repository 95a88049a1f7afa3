"""Caption clips: those of a curation, or films and pictures in any folder.

In the folder of a curation the kept clips are captioned anew, and manifest, shards and report follow. In any other
folder, or of a single film, captions are written beside the films as CLIP.json with all fields and CLIP.txt with a
text to train on; films that have a .json or .txt already are left alone.

`small` is our own captioner: SmolLM2 (fetched) shown what a network of ours sees. It was taught on our worlds alone,
and describes clips such as they draw; of others it says what was measured of them, as `tags` does.

Examples:

  muybridge caption curated --captioner http://localhost:8000/v1 --model qwen2.5-vl-7b-instruct
  muybridge caption films/ --captioner models/Qwen2.5-VL-7B-Instruct
  muybridge caption film.mp4 --captioner tags
  muybridge caption world/clips --captioner small
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.curated import as_dict, as_table, show
from muybridge.cli.progress import StepBars
from muybridge.core.errors import RunFailed, invalid


def command(
    place: Annotated[Path, typer.Argument(metavar="OUT|FOLDER|FILM", help="What is captioned.")],
    *,
    captioner: Annotated[
        str,
        typer.Option(
            help="tags (no model), small (ours, for clips of our worlds), a model's folder, or http://...",
            rich_help_panel="Options",
        ),
    ] = "tags",
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Model of the server.", rich_help_panel="Options")
    ] = None,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Caption, and print what was written."""
    if not place.exists():
        raise invalid(str(place), "no such file or folder", "check the path")
    with StepBars(Console(stderr=True)) as bars:

        def on_step(what: str, done: int, total: int, figures: Mapping[str, float]) -> None:
            bars.show(what, done, total, dict(figures))

        if (place / rooms.MANIFEST).is_file():
            table = rooms.thresholds_of(place)
            settings = rooms.CurationSettings(out=place, captioner=captioner, caption_model=model, thresholds=table)
            done = rooms.retier(settings, on_step=on_step)
        else:
            chosen = rooms.open_captioner(captioner, model=model)
            done = rooms.caption_files(
                place, chosen, on_caption=lambda done, total: on_step("captions", done, total, {})
            )
    if not isinstance(done, list):
        show(as_dict(done) if is_json else done, as_table, is_json=is_json)
        return
    if not done:
        raise RunFailed(f"{place}: nothing in it wants a caption; films that have one are left alone.")
    if is_json:
        print(json.dumps([{"path": str(each.path), "caption": each.text, "problem": each.problem} for each in done]))
        return
    for each in done:
        print(f"{each.name}: {each.text or each.problem}")
