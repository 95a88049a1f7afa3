"""Models as people name them on the command line: a path, a catalogue name, a hub id; and a part of one."""

from pathlib import Path

from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.progress import ByteBars
from muybridge.weights.catalog import locate, resolve
from muybridge.weights.names import KINDS, Kind

PARTS = ", ".join(KINDS)


def located(name: str, part: str | None = None) -> tuple[Path, Kind | None]:
    """Where a model's weights are, fetched first where they are on the hub, and which network of them is meant.

    Raises InvalidInput on an unknown name or part, AssetError as `locate`.
    """
    with ByteBars(Console(stderr=True)) as bars:
        place = locate(resolve(name), on_progress=bars.show)
    return (place, None) if part is None else rooms.named_part(place, part)
