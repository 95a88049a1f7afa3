"""A contact sheet of a world: one clip a row, frames from left to right, the caption underneath."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from muybridge.core.errors import invalid
from muybridge.core.files import atomic_path
from muybridge.worlds.sprites import SpriteClip, SpritesWorld

_TEXT_PX = 15


def write_sheet(world: SpritesWorld, *, num_clips: int, path: Path, start: int = 0, num_columns: int = 6) -> None:
    """Write a PNG with clips `start` to `start + num_clips - 1` of the training split; InvalidInput for none."""
    if num_clips < 1:
        raise invalid(f"num_clips={num_clips}", "a sheet shows at least one clip", "ask for 12")
    draw_sheet([world.clip(index) for index in range(start, start + num_clips)], path=path, num_columns=num_columns)


def draw_sheet(clips: Sequence[SpriteClip], *, path: Path, num_columns: int = 6) -> None:
    """Write a PNG of these clips (equal sizes); `num_columns` evenly spaced frames of each, first and last included."""
    frames, height, width = clips[0].pixels.shape[:3]
    shown = np.unique(np.linspace(0, frames - 1, min(num_columns, frames)).round().astype(int))
    sheet = Image.new("RGB", (max(width * len(shown), _longest(clips)), (height + _TEXT_PX) * len(clips)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, clip in enumerate(clips):
        top = row * (height + _TEXT_PX)
        for column, number in enumerate(shown):
            sheet.paste(Image.fromarray(clip.pixels[number]), (column * width, top))
        pen.text((2, top + height + 1), clip.caption, fill="black")
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG")


def _longest(clips: Sequence[SpriteClip]) -> int:
    """Pixels that the longest caption needs."""
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    return 4 + math.ceil(max(pen.textlength(clip.caption) for clip in clips))
