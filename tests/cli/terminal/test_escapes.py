"""Pictures as escape sequences, read back as a terminal reads them."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from muybridge.cli.terminal.escapes import CHUNK_CHARACTERS, iterm, kitty, kitty_gone, sixel

HALF_PERCENT = 255 / 200 + 0.5  # sixel colours are whole per cents


def noise(height: int = 45, width: int = 70) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def flat(height: int, width: int) -> np.ndarray:
    """Blocks of twelve colours, long runs of one."""
    palette = np.random.default_rng(1).integers(0, 256, (12, 3), dtype=np.uint8)
    rows, columns = np.arange(height)[:, None] // 5, np.arange(width)[None] // 9
    return palette[(rows + 5 * columns) % 12]


def decoded_sixel(words: str) -> np.ndarray:
    """DEC STD 070: raster attributes, colours in per cent, `!` repeats, `$` returns, `-` goes down six."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', words, re.S)
    assert found is not None
    width, height, body = int(found[1]), int(found[2]), found[3]
    picture = np.full((height, width, 3), 255, np.uint8)
    palette: dict[int, tuple[int, ...]] = {}
    x = top = colour = 0
    for token in re.finditer(r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", body):
        number, red, green, blue, count, repeated, single, control = token.groups()
        if red is not None:
            palette[int(number)] = tuple(round(int(share) * 2.55) for share in (red, green, blue))
        elif number is not None:
            colour = int(number)
        elif control:
            x, top = 0, top + 6 * (control == "-")
        else:
            bits, length = ord(repeated or single) - 63, int(count or 1)
            for row in (row for row in range(6) if bits >> row & 1):
                picture[top + row, x : x + length] = palette[colour]
            x += length
    assert len("".join(re.findall(r"[^#0-9;!$\-?-~]", body))) == 0
    return picture


def decoded_kitty(words: str) -> tuple[dict[str, str], np.ndarray]:
    """The keys of the first chunk, and the picture of all."""
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", words)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) == words
    more = [re.search(r"m=(\d)", keys) for keys, _ in chunks]
    assert [each[1] for each in more if each] == ["1"] * (len(chunks) - 1) + ["0"]
    assert all(len(data) <= CHUNK_CHARACTERS and len(data) % 4 == 0 for _, data in chunks)
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in chunks))))
    return dict(pair.split("=") for pair in chunks[0][0].split(",")), np.asarray(picture)


@pytest.mark.parametrize("size", [(6, 8), (45, 70), (1, 1), (13, 200)])
def test_sixels_are_the_picture(size: tuple[int, int]) -> None:
    picture = flat(*size)
    difference = np.abs(decoded_sixel(sixel(picture)).astype(int) - picture)
    assert difference.max() <= HALF_PERCENT


def test_sixels_of_many_colours_are_near_the_picture() -> None:
    smooth = np.asarray(Image.fromarray(noise(4, 6)).resize((70, 45), Image.Resampling.BICUBIC))
    difference = decoded_sixel(sixel(smooth)).astype(int) - smooth
    assert np.sqrt((difference**2).mean()) < 16  # 64 colours
    assert len(sixel(smooth)) < 3 * smooth.size


@pytest.mark.parametrize("size", [(4, 6), (90, 120)])
def test_kitty_gets_the_picture_in_chunks(size: tuple[int, int]) -> None:
    picture = noise(*size)
    keys, shown = decoded_kitty(kitty(picture, columns=12, rows=3, number=77))
    assert (shown == picture).all()
    assert keys == {"a": "T", "f": "100", "i": "77", "p": "1", "q": "2", "C": "1", "c": "12", "r": "3", "m": keys["m"]}
    assert kitty_gone(77) == "\x1b_Ga=d,d=I,i=77,q=2\x1b\\"


def test_iterm_gets_the_picture() -> None:
    found = re.fullmatch(r"\x1b\]1337;File=([^:]*):([^\a]*)\a", iterm(noise(), columns=12, rows=3))
    assert found is not None
    content, keys = base64.b64decode(found[2]), dict(pair.split("=") for pair in found[1].split(";"))
    assert (np.asarray(Image.open(io.BytesIO(content))) == noise()).all()
    assert (keys["width"], keys["height"], keys["inline"], keys["size"]) == ("12", "3", "1", str(len(content)))
