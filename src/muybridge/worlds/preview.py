"""A contact sheet of a world: one clip a row, frames from left to right, one of its captions above."""

from pathlib import Path

from muybridge.core.errors import invalid
from muybridge.media.sheet import contact_sheet
from muybridge.worlds.world import DescribedWorld, Split

_WORDINGS = 4  # the sheet shows them in turn


def write_sheet(
    world: DescribedWorld,
    *,
    num_clips: int,
    path: Path,
    size_px: int,
    num_frames: int,
    start: int = 0,
    split: Split = "train",
    num_columns: int = 6,
) -> None:
    """Write a PNG with clips `start` to `start + num_clips - 1` of a split; InvalidInput for none."""
    if num_clips < 1:
        raise invalid(f"num_clips={num_clips}", "a sheet shows at least one clip", "ask for 12")
    scenes = [world.scene(index, split=split) for index in range(start, start + num_clips)]
    films = [world.render(scene, size_px=size_px, num_frames=num_frames) for scene in scenes]
    labels = [world.captions(scene, _WORDINGS)[number % _WORDINGS] for number, scene in enumerate(scenes)]
    contact_sheet(films, labels=labels, columns=min(num_columns, num_frames), path=path)
