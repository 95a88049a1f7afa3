"""Fetch models and assets into the cache ahead of time, every file checked, so that later commands need no network.

Without a name, lists what there is. An interrupted fetch continues with the same command.

Examples:

  muybridge fetch
  muybridge fetch smollm2-135m-instruct
  muybridge fetch hunyuanvideo --accept-licence
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from muybridge.cli.progress import ByteBars
from muybridge.core.errors import invalid
from muybridge.weights.assets import ASSETS, ensure
from muybridge.weights.catalog import CatalogueEntry, catalogue, locate, resolve
from muybridge.weights.licences import accept


def command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Models, hub ids or assets; left out, lists them.")
    ] = None,
    *,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You have read the licences of these models and accept them.")
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print the folder of each."""
    if not names:
        print(json.dumps(_listed(), indent=2) if is_json else _listing())
        return
    for name in names:
        if name not in ASSETS and name not in catalogue() and "/" not in name:
            raise invalid(name, "neither a model nor an asset", "`muybridge fetch` lists them")
    entries = {name: resolve(name) for name in names if name not in ASSETS}
    for entry in entries.values():
        if accept_licence and entry.terms is not None:
            accept(entry.name, entry.terms)
    folders = {name: str(_fetched(name, entries.get(name))) for name in names}
    print(json.dumps(folders, indent=2) if is_json else "\n".join(folders.values()))


def _fetched(name: str, entry: CatalogueEntry | None) -> Path:
    if entry is None:
        return ensure(name, on_progress=lambda line: print(line, file=sys.stderr))
    with ByteBars(Console(stderr=True)) as bars:
        return locate(entry, on_progress=bars.show)


def _listed() -> list[dict[str, object]]:
    models = [
        {"name": entry.name, "kind": "model", "title": entry.title, "licence": entry.licence, "repo": entry.repo_id,
         "sizes": entry.native_sizes, "defaults": entry.defaults, "runs": entry.is_runnable}
        for entry in catalogue().values()
    ]  # fmt: skip
    return [*models, *({"name": name, "kind": "asset", "licence": asset.licence} for name, asset in ASSETS.items())]


def _listing() -> str:
    models = catalogue()
    width = max(map(len, [*models, *ASSETS]))
    limits = {entry.terms.title: entry.terms for entry in models.values() if entry.terms is not None}
    return "\n".join(
        [
            "models",
            *(f"  {name:<{width}}  {entry.title}{'' if entry.is_runnable else ' *'}" for name, entry in models.items()),
            "assets",
            *(f"  {name:<{width}}  {asset.licence}" for name, asset in ASSETS.items()),
            "",
            "* to inspect and convert; not run here yet",
            *(f"{terms.title}: {terms.limits}; {terms.url}" for terms in limits.values()),
        ]
    )
