"""Look into the training worlds, or write their clips to disk.

--preview draws a contact sheet, one clip a row with its caption. --out writes MP4 files, WebDataset tars and a Parquet
manifest; the same command continues an interrupted run, and a larger --clips adds to it.

Examples:

  muybridge worlds sprites --preview sheet.png
  muybridge worlds sprites-flat --preview sheet.png --clips 20 --seed 3
  muybridge worlds physics --preview sheet.png --split held_out
  muybridge worlds sprites --out data/sprites --clips 1000 --size 128 --workers 4
  muybridge worlds sprites --out data/test --clips 100 --split held_out
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from muybridge.cli import rooms
from muybridge.cli.outputs import check_writable
from muybridge.cli.progress import StepBars
from muybridge.core.errors import invalid
from muybridge.weights.assets import ensure

if TYPE_CHECKING:
    from muybridge.worlds import DescribedWorld
    from muybridge.worlds.materialise import MaterialiseConfig

MAX_CLIPS = 200  # convention: beyond it no viewer opens the sheet


@dataclass(frozen=True, kw_only=True, slots=True)
class WorldChoice:
    """One world: what it is, and how it is opened for (size_px, num_frames, seed)."""

    summary: str
    open: "Callable[[int, int, int], DescribedWorld]"


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _sprites(size_px: int, num_frames: int, seed: int) -> "DescribedWorld":
    config = rooms.complete_sprites(size_px=size_px, num_frames=num_frames, seed=seed)
    return rooms.SpritesWorld(config, ensure("fluent-emoji-anim", on_progress=_say))


def _flat_sprites(size_px: int, num_frames: int, seed: int) -> "DescribedWorld":
    config = rooms.SpritesConfig(width_px=size_px, height_px=size_px, num_frames=num_frames, seed=seed)
    return rooms.SpritesWorld(config, ensure("fluent-emoji-anim", on_progress=_say))


def _physics(size_px: int, num_frames: int, seed: int) -> "DescribedWorld":
    return rooms.PhysicsWorld(
        rooms.PhysicsConfig(width_px=size_px, height_px=size_px, num_frames=num_frames, seed=seed)
    )


WORLDS: Mapping[str, WorldChoice] = MappingProxyType(
    {
        "sprites": WorldChoice(summary="animated emoji, several at once, in light, styles and depth", open=_sprites),
        "sprites-flat": WorldChoice(summary="one emoji at a time, as gallop was trained on", open=_flat_sprites),
        "physics": WorldChoice(summary="solid bodies that fall, roll, collide, swing (needs EGL)", open=_physics),
    }
)
_NAMES = "; ".join(f"{name}: {choice.summary}" for name, choice in WORLDS.items())


class SplitName(StrEnum):
    """The halves of a world: what is never in both are combinations."""

    train = "train"
    held_out = "held_out"


def command(
    world: Annotated[str, typer.Argument(metavar="WORLD", help=f"{_NAMES}.")],
    *,
    preview: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a sheet, a .png.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the clips.")] = None,
    clips: Annotated[int, typer.Option(help="How many clips.")] = 12,
    start: Annotated[int, typer.Option(help="The first clip's number.")] = 0,
    split: Annotated[SplitName, typer.Option(help="Which clips: to train on, or never trained on.")] = SplitName.train,
    seed: Annotated[int, typer.Option(help="The world's seed.")] = 0,
    size: Annotated[int, typer.Option(metavar="PX", help="Side of a frame.")] = 128,
    frames: Annotated[int, typer.Option(help="Frames of a clip, 4n+1.")] = 17,
    clips_per_shard: Annotated[int, typer.Option(help="Clips in a tar of --out; 0 for no tars.")] = 256,
    workers: Annotated[int, typer.Option(help="Processes that draw for --out.")] = 1,
    is_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Draw the clips; print what was written."""
    if world not in WORLDS:
        raise invalid(f"world {world!r}", "there is no such world", f"choose from {', '.join(WORLDS)}")
    if (preview is None) == (out is None):
        given = "neither --preview nor --out" if out is None else "--preview with --out"
        raise invalid(given, "a command writes a sheet or clips", "give one of them")
    if start < 0:
        raise invalid(f"start={start}", "clips are numbered from 0", "use 0")
    report: dict[str, str | int] = {"world": world, "split": split.value, "clips": clips}
    if preview is not None:
        _check_sheet(preview, clips)
        opened = WORLDS[world].open(size, frames, seed)
        rooms.write_sheet(
            opened, num_clips=clips, path=preview, start=start, split=split.value, size_px=size, num_frames=frames
        )  # fmt: skip
        report["path"] = str(preview)
    else:
        assert out is not None
        config = rooms.MaterialiseConfig(
            num_clips=clips, start=start, split=split.value, size_px=size, num_frames=frames,
            clips_per_shard=clips_per_shard,
        )  # fmt: skip
        report["path"] = str(_written(world, out, config, seed=seed, num_workers=workers))
    print(json.dumps(report) if is_json else report["path"])


def _check_sheet(path: Path, clips: int) -> None:
    if not 1 <= clips <= MAX_CLIPS:
        raise invalid(f"clips={clips}", f"a sheet holds 1 to {MAX_CLIPS}", "use 12")
    if path.suffix.lower() != ".png":
        raise invalid(str(path), "a sheet is a .png", f"use {path.with_suffix('.png')}")
    check_writable(path)


def _written(world: str, out: Path, config: "MaterialiseConfig", *, seed: int, num_workers: int) -> Path:
    """Write the clips under a progress bar; the manifest's path."""
    check_writable(out / "world.json")
    opened = WORLDS[world].open(config.size_px, config.num_frames, seed)
    try:
        with StepBars(Console(stderr=True)) as bars:
            return rooms.materialise(
                opened, out, config, num_workers=num_workers,
                on_clip=lambda done, total: bars.show("clips", done, total, {}),
            )  # fmt: skip
    except KeyboardInterrupt:
        _say("the same command continues where it was")
        raise
