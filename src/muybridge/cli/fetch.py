"""Fetch an asset into the cache ahead of time, its hash checked, so that later commands need no network.

Examples:

  muybridge fetch smollm2-135m-instruct
  muybridge fetch fluent-emoji-anim emojibase-en
"""

import json
import sys
from typing import Annotated

import typer

from muybridge.weights.assets import ASSETS, ensure


def command(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help=f"One or more of {', '.join(ASSETS)}.")],
    *,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print the folder of each asset."""
    folders = {name: str(ensure(name, on_progress=lambda line: print(line, file=sys.stderr))) for name in names}
    print(json.dumps(folders, indent=2) if is_json else "\n".join(folders.values()))
