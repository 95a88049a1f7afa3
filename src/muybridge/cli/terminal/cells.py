"""Pictures in characters: two pixels in each cell where there are colours, else letters from dark to light."""

from collections.abc import Iterator

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from muybridge.media.colour import LUMA_601
from muybridge.media.frames import Picture

UPPER_HALF = "▀"
LETTERS = " .:-=+*#%@"  # from dark to light, on a dark ground


def half_blocks(picture: Picture) -> Iterator[list[Segment]]:
    """Lines of cells, the upper pixel as the letter's colour and the lower as its ground; height is even."""
    for upper, lower in zip(picture[::2].tolist(), picture[1::2].tolist(), strict=True):
        yield [
            Segment(UPPER_HALF, Style(color=Color.from_rgb(*above), bgcolor=Color.from_rgb(*below)))
            for above, below in zip(upper, lower, strict=True)
        ]


def letters(picture: Picture) -> Iterator[list[Segment]]:
    """Lines of letters, two rows of pixels in each; height is even."""
    luma = picture.astype(np.float64) @ np.array(LUMA_601)
    levels = (luma[::2] + luma[1::2]) / 2 / 256 * len(LETTERS)
    for line in levels.astype(int):
        yield [Segment("".join(LETTERS[level] for level in line))]
