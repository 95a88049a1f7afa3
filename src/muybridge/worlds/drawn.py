"""A small drawn library: four simple shapes that move, for tests and for machines without the emoji drawings."""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from muybridge.core.errors import invalid
from muybridge.worlds.subjects import Subject

_NUM_FRAMES = 24  # one second
_SUPERSAMPLING = 2

_ROLLS = (("rolls", "rolling"),)
_RESTS = (("stands", "standing"), ("waits", "waiting"))

DRAWN_SUBJECTS: tuple[Subject, ...] = (
    Subject(
        name="ball", codepoints="ball", colour="red", realm="ground", facing="front",
        moves=_ROLLS, rests=_RESTS, tones=("red", "pink", "orange"),
    ),
    Subject(
        name="star", codepoints="star", colour="yellow", realm="air", facing="front",
        moves=(("flies", "flying"),), rests=(("hovers", "hovering"),), tones=("yellow", "orange"),
    ),
    Subject(
        name="arrow", codepoints="arrow", colour="blue", realm="water", facing="right",
        moves=(("swims", "swimming"),), rests=(("floats", "floating"),), tones=("blue",),
    ),
    Subject(
        name="egg", codepoints="egg", colour="white", realm="ground", facing="front",
        moves=(("wobbles", "wobbling"),), rests=_RESTS, tones=("white",),
    ),
)  # fmt: skip

Shape = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, np.ndarray]]


class DrawnLibrary:
    """The shapes of `DRAWN_SUBJECTS`; the same interface as `WebpLibrary`, no files and no network."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The shapes, in the order of the table."""
        return DRAWN_SUBJECTS

    def frames(self, codepoints: str, size_px: int) -> np.ndarray:
        """See `SpriteLibrary.frames`. Raises InvalidInput for a shape that is not in the table."""
        if codepoints not in _SHAPES:
            raise invalid(f"shape {codepoints!r}", "not drawn here", f"choose from {', '.join(_SHAPES)}")
        return _drawn(codepoints, size_px)


def drawn_library() -> DrawnLibrary:
    """The drawn library, ready to give to `SpritesWorld`."""
    return DrawnLibrary()


@lru_cache(maxsize=64)
def _drawn(codepoints: str, size_px: int) -> np.ndarray:
    """uint8 (n, 4, s, s), premultiplied; x and y run over [-1, 1], downwards."""
    fine = size_px * _SUPERSAMPLING
    axis = (np.arange(fine) + 0.5) / fine * 2 - 1
    x, y = np.meshgrid(axis, axis)
    frames = []
    for number in range(_NUM_FRAMES):
        inside, colour = _SHAPES[codepoints](x, y, 2 * math.pi * number / _NUM_FRAMES)
        rgba = np.concatenate([colour * inside, 255.0 * inside[None]])
        frames.append(rgba.reshape(4, size_px, _SUPERSAMPLING, size_px, _SUPERSAMPLING).mean(axis=(2, 4)))
    return np.stack(frames).round().astype(np.uint8)


def _filled(where: np.ndarray, first: tuple[int, int, int], second: tuple[int, int, int]) -> np.ndarray:
    """Two colours (3, h, w): `first` where true."""
    pair = np.array([second, first], np.float64)
    return np.moveaxis(pair[where.astype(int)], -1, 0)


def _ball(x: np.ndarray, y: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A red ball with a white stripe that rolls."""
    stripe = np.abs(math.cos(turn) * x + math.sin(turn) * y) < 0.22
    return (x**2 + y**2 < 1).astype(float), _filled(stripe, (250, 250, 250), (214, 40, 44))


def _star(x: np.ndarray, y: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A yellow five-pointed star that rocks."""
    angle = np.arctan2(x, -y) + 0.3 * math.sin(turn)
    from_tip = np.abs((angle * 5 / (2 * math.pi) + 0.5) % 1 - 0.5) * 2  # 0 at a tip, 1 between two
    inside = np.hypot(x, y) < 1 / (1 + 1.3 * from_tip)
    return inside.astype(float), _filled(np.hypot(x, y) < 0.3, (255, 236, 130), (248, 196, 30))


def _arrow(x: np.ndarray, y: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A blue arrow that points right and waves its tail."""
    head = (x > 0) & (np.abs(y) < 0.9 * (1 - x))
    tail = (x <= 0) & (np.abs(y - 0.25 * math.sin(turn) * x) < 0.3)
    return (head | tail).astype(float), _filled(head, (40, 96, 220), (24, 60, 150))


def _egg(x: np.ndarray, y: np.ndarray, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """A white egg with green spots that wobbles."""
    lean = x - 0.12 * math.sin(turn) * (1 - y)
    inside = (lean / (0.62 + 0.12 * y)) ** 2 + y**2 < 1
    spots = np.sin(7 * lean) * np.sin(7 * y + 1) > 0.55
    return inside.astype(float), _filled(spots, (70, 160, 90), (246, 244, 238))


_SHAPES: Mapping[str, Shape] = MappingProxyType({"ball": _ball, "star": _star, "arrow": _arrow, "egg": _egg})
