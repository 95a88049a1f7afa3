"""Pictures as escape sequences: kitty's graphics protocol, iTerm2's inline images, and sixels.

Each puts a picture at the cursor and stretches it over `columns` x `rows` character cells, or says so by its own size.
"""

import base64
import io

import numpy as np
from PIL import Image

from muybridge.media.frames import Picture

CHUNK_CHARACTERS = 4096  # of a kitty command
NUM_COLOURS = 64  # of a sixel picture: a preview is small, and every colour of a band is a line to send
BAND_PX, SIXEL_0 = 6, 63


def kitty(picture: Picture, *, columns: int, rows: int, number: int) -> str:
    """Shown without an answer or a move of the cursor; the same `number` is replaced in its place."""
    keys = f"a=T,f=100,i={number},p=1,q=2,C=1,c={columns},r={rows}"
    data = base64.standard_b64encode(_png(picture)).decode()
    chunks = [data[start : start + CHUNK_CHARACTERS] for start in range(0, len(data), CHUNK_CHARACTERS)]
    heads = [f"{keys},m={int(len(chunks) > 1)}"] + [f"q=2,m={int(n < len(chunks) - 1)}" for n in range(1, len(chunks))]
    return "".join(f"\x1b_G{head};{chunk}\x1b\\" for head, chunk in zip(heads, chunks, strict=True))


def kitty_gone(number: int) -> str:
    """Takes away the picture of that number, and its data."""
    return f"\x1b_Ga=d,d=I,i={number},q=2\x1b\\"


def iterm(picture: Picture, *, columns: int, rows: int) -> str:
    """Shown as it is; where `doNotMoveCursor` is not known, the cursor ends beneath."""
    data = _png(picture)
    keys = f"inline=1;size={len(data)};width={columns};height={rows};preserveAspectRatio=0;doNotMoveCursor=1"
    return f"\x1b]1337;File={keys}:{base64.standard_b64encode(data).decode()}\a"


def sixel(picture: Picture) -> str:
    """In at most NUM_COLOURS colours, a sixel a pixel.   DEC STD 070, chapter 9."""
    image = Image.fromarray(picture).quantize(NUM_COLOURS, dither=Image.Dither.NONE)
    indices, palette = np.asarray(image), image.getpalette() or []
    height, width = indices.shape
    shares = [round(level / 255 * 100) for level in palette]
    used = range(int(indices.max()) + 1)
    colours = "".join(f"#{n};2;{shares[3 * n]};{shares[3 * n + 1]};{shares[3 * n + 2]}" for n in used)
    bands = (_band(indices[top : top + BAND_PX]) for top in range(0, height, BAND_PX))
    return f'\x1bP0;1q"1;1;{width};{height}{colours}{"-".join(bands)}\x1b\\'


def _band(indices: np.ndarray) -> str:
    """Six rows of pixels, colour by colour."""
    weights = (1 << np.arange(len(indices)))[:, None]
    return "$".join(
        f"#{colour}{_runs(((indices == colour) * weights).sum(0) + SIXEL_0)}" for colour in np.unique(indices)
    )


def _runs(sixels: np.ndarray) -> str:
    """Characters, repeated ones counted."""
    ends = [*(np.flatnonzero(np.diff(sixels)) + 1).tolist(), len(sixels)]
    starts = [0, *ends[:-1]]
    runs = ((chr(int(sixels[start])), end - start) for start, end in zip(starts, ends, strict=True))
    return "".join(f"!{count}{letter}" if count > 3 else letter * count for letter, count in runs)


def _png(picture: Picture) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png")
    return content.getvalue()
