"""Backgrounds painted by formula: eight plain colours and six places that are easy to tell apart.

A painter draws into a `Canvas`, a window of the world at some resolution (world units: see motion.py), so one scene
looks alike at every size and wherever the camera looks.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from muybridge.worlds.camera import HORIZON_Y
from muybridge.worlds.canvas import Canvas, Colour

Painter = Callable[[Canvas, random.Random], None]
_JITTER = 8.0  # plain colours vary by this much of 255, and keep their names
_SPREAD = 1.9  # landmarks lie within this distance of the middle: as far as any camera looks


@dataclass(frozen=True, kw_only=True, slots=True)
class Background:
    """What stands behind the subject.

    `within`, `across` and `over` are phrases for a subject at rest, on its way, and in the air. `tones` are colours in
    which a like-coloured subject would vanish. `light` tints the subject. Places have a ground and landmarks; plain
    colours have none, so cameras do not move there.
    """

    name: str
    is_place: bool
    within: tuple[str, ...]
    across: tuple[str, ...]
    over: tuple[str, ...]
    tones: tuple[str, ...]
    paint: Painter
    setting: str
    lighting: str
    atmosphere: str
    light: Colour = (1.0, 1.0, 1.0)
    likes: tuple[str, ...] = ("ground", "air", "water")


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return red, green, blue


def _jitter(colour: Colour, rng: random.Random) -> Colour:
    red, green, blue = (min(255.0, max(0.0, channel + _JITTER * (2 * rng.random() - 1))) for channel in colour)
    return red, green, blue


def _plain(colour: Colour) -> Painter:
    def paint(canvas: Canvas, rng: random.Random) -> None:
        base = _jitter(colour, rng)
        strength = 0.02 + 0.1 * rng.random()
        canvas.gradient(_shade(base, 1 + strength), _shade(base, 1 - strength), start_y=0, end_y=1)

    return paint


def _hills(canvas: Canvas, rng: random.Random, *, colour: Colour, rise: float) -> None:
    phase, wave = 2 * math.pi * rng.random(), 3.0 + 2 * rng.random()
    edge = (
        HORIZON_Y + 0.01 - rise * (0.5 + 0.35 * np.sin(wave * canvas.x + phase) + 0.15 * np.sin(2.7 * wave * canvas.x))
    )
    canvas.below(edge, colour)


def _clouds(canvas: Canvas, rng: random.Random, *, colour: Colour, number: int, opacity: float = 1.0) -> None:
    for slot in range(number):
        x = _SPREAD * (2 * (slot + 0.2 + 0.6 * rng.random()) / number - 1)
        y, size = -0.12 + 0.42 * rng.random(), 0.07 + 0.04 * rng.random()
        for dx, dy, radius in ((-1.0, 0.15, 0.7), (0.0, 0.0, 1.0), (1.0, 0.2, 0.65)):
            canvas.ellipse(
                x + dx * size, y + dy * size, (radius * size * 1.25, radius * size * 0.75), colour, opacity=opacity
            )


def _scattered(rng: random.Random, number: int, *, top: float, bottom: float) -> list[tuple[float, float]]:
    """Points spread evenly across, at random heights."""
    return [
        (_SPREAD * (2 * (slot + 0.15 + 0.7 * rng.random()) / number - 1), top + (bottom - top) * rng.random())
        for slot in range(number)
    ]


def _meadow(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((112, 186, 240), (196, 230, 250), start_y=-0.2, end_y=HORIZON_Y)
    _clouds(canvas, rng, colour=(255, 255, 255), number=5)
    _hills(canvas, rng, colour=(92, 168, 84), rise=0.1)
    canvas.gradient((140, 204, 88), (92, 172, 60), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    petals: tuple[Colour, ...] = ((255, 255, 255), (255, 214, 60), (240, 110, 150))
    for number, (x, y) in enumerate(_scattered(rng, 22, top=HORIZON_Y + 0.07, bottom=1.15)):
        radius = 0.008 + 0.02 * (y - HORIZON_Y)
        canvas.ellipse(x, y, (radius * 1.3, radius), petals[number % 3])


def _desert(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((120, 190, 226), (244, 226, 190), start_y=-0.2, end_y=HORIZON_Y)
    canvas.ellipse(0.9 * (2 * rng.random() - 1), 0.1, (0.085, 0.085), (255, 246, 200))
    _hills(canvas, rng, colour=(222, 168, 98), rise=0.14)
    canvas.gradient((238, 198, 124), (220, 168, 92), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    for x, y in _scattered(rng, 8, top=HORIZON_Y + 0.1, bottom=1.15):
        canvas.ellipse(x, y, (0.16, 0.012 + 0.02 * (y - HORIZON_Y)), (206, 152, 80), opacity=0.8)
    for x, _ in _scattered(rng, 5, top=0, bottom=1):
        _cactus(canvas, x, 0.12 + 0.06 * rng.random())


def _cactus(canvas: Canvas, x: float, height: float) -> None:
    green, foot = (66, 132, 76), HORIZON_Y + 0.03
    canvas.ellipse(x, foot - height / 2, (0.15 * height, height / 2), green)
    canvas.ellipse(x - 0.28 * height, foot - 0.55 * height, (0.09 * height, 0.22 * height), green)
    canvas.ellipse(x + 0.28 * height, foot - 0.65 * height, (0.09 * height, 0.22 * height), green)
    canvas.ellipse(x, foot - 0.48 * height, (0.34 * height, 0.08 * height), green)


def _sea(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((150, 206, 240), (230, 242, 250), start_y=-0.2, end_y=HORIZON_Y)
    _clouds(canvas, rng, colour=(255, 255, 255), number=5)
    canvas.gradient((34, 128, 172), (12, 70, 128), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    for x, y in _scattered(rng, 34, top=HORIZON_Y + 0.03, bottom=1.18):
        near = (y - HORIZON_Y) / 0.5
        canvas.ellipse(x, y, (0.05 + 0.07 * near, 0.006 + 0.007 * near), (140, 208, 228), opacity=0.8)


def _night(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((12, 14, 52), (44, 52, 112), start_y=-0.2, end_y=HORIZON_Y)
    for x, y in _scattered(rng, 46, top=-0.35, bottom=HORIZON_Y - 0.08):
        radius = 0.006 + 0.006 * rng.random()
        canvas.ellipse(x, y, (radius, radius), (255, 252, 220))
    x = 0.7 * (2 * rng.random() - 1)
    canvas.ellipse(x, 0.12, (0.085, 0.085), (250, 244, 206))
    canvas.ellipse(x + 0.035, 0.1, (0.07, 0.07), (18, 20, 62))
    _hills(canvas, rng, colour=(22, 28, 62), rise=0.1)
    canvas.gradient((40, 58, 76), (24, 36, 54), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    for x, y in _scattered(rng, 14, top=HORIZON_Y + 0.08, bottom=1.15):
        canvas.ellipse(x, y, (0.07, 0.012), (58, 82, 98), opacity=0.7)


def _snow(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((146, 176, 206), (206, 220, 234), start_y=-0.2, end_y=HORIZON_Y)
    _hills(canvas, rng, colour=(196, 212, 230), rise=0.12)
    canvas.gradient((236, 243, 250), (214, 226, 242), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    for x, _ in _scattered(rng, 11, top=0, bottom=1):
        height = 0.14 + 0.1 * rng.random()
        for tier in range(3):
            base = HORIZON_Y + 0.03 - 0.27 * tier * height
            canvas.triangle(x, base, 0.34 * height * (1 - 0.22 * tier), 0.5 * height, (44, 98, 92))
        canvas.triangle(x, HORIZON_Y + 0.03 - 0.84 * height, 0.1 * height, 0.2 * height, (244, 248, 252))
    for x, y in _scattered(rng, 10, top=HORIZON_Y + 0.1, bottom=1.15):
        canvas.ellipse(x, y, (0.12, 0.016), (198, 212, 234), opacity=0.8)


def _sunset(canvas: Canvas, rng: random.Random) -> None:
    canvas.gradient((118, 72, 142), (255, 150, 72), start_y=-0.1, end_y=HORIZON_Y)
    _clouds(canvas, rng, colour=(244, 128, 120), number=4, opacity=0.75)
    x = 0.6 * (2 * rng.random() - 1)
    canvas.ellipse(x, HORIZON_Y - 0.06, (0.15, 0.15), (255, 226, 120))
    _hills(canvas, rng, colour=(112, 58, 92), rise=0.07)
    canvas.gradient((96, 56, 76), (58, 36, 58), start_y=HORIZON_Y, end_y=1.1, from_y=HORIZON_Y)
    for x, y in _scattered(rng, 14, top=HORIZON_Y + 0.08, bottom=1.15):
        canvas.ellipse(x, y, (0.08, 0.012), (140, 82, 86), opacity=0.7)


_PLAIN_COLOURS: Mapping[str, Colour] = MappingProxyType(
    {
        "red": (206, 52, 48), "orange": (244, 146, 44), "yellow": (250, 218, 74), "green": (62, 160, 80),
        "blue": (56, 112, 214), "purple": (126, 76, 178), "pink": (246, 162, 196), "white": (244, 244, 244),
    }
)  # fmt: skip
_PLAIN_TONES: Mapping[str, tuple[str, ...]] = MappingProxyType({"white": ("white",), "pink": ("pink",)})


def _plain_background(name: str, colour: Colour) -> Background:
    article = "an" if name[0] in "aeiou" else "a"
    phrases = (
        f"on {article} {name} background", f"in front of {article} {name} wall", f"against a plain {name} background",
    )  # fmt: skip
    return Background(
        name=name, is_place=False, within=phrases, across=phrases, over=phrases,
        tones=_PLAIN_TONES.get(name, (name,)), paint=_plain(colour), setting=f"a plain {name} wall",
        lighting="even studio light", atmosphere="clean and simple",
    )  # fmt: skip


_PLACES: tuple[Background, ...] = (
    Background(
        name="meadow", is_place=True, paint=_meadow, tones=(), likes=("ground", "air"),
        within=("in a green meadow", "on a green meadow", "in a meadow", "in a field of flowers"),
        across=("across a green meadow", "across a meadow", "through a green meadow"),
        over=("over a green meadow", "above a meadow", "over a meadow"),
        setting="a green meadow with flowers, hills and a blue sky with white clouds",
        lighting="bright daylight", atmosphere="cheerful and fresh",
    ),
    Background(
        name="desert", is_place=True, paint=_desert, tones=(), likes=("ground", "air"),
        within=("in the desert", "in a sandy desert", "on desert sand"),
        across=("across the desert", "across a sandy desert", "through the desert"),
        over=("over the desert", "above a sandy desert", "over desert sand"),
        setting="a sandy desert with dunes, cacti and a pale sun",
        lighting="harsh midday sun", atmosphere="hot and dry", light=(1.0, 0.98, 0.93),
    ),
    Background(
        name="sea", is_place=True, paint=_sea, tones=(), likes=("water", "air"),
        within=("on the sea", "in the blue sea", "in the ocean"),
        across=("across the sea", "across the ocean", "across the blue sea"),
        over=("over the sea", "above the ocean", "over the blue sea"),
        setting="a deep blue sea with small waves under a pale sky with clouds",
        lighting="clear daylight", atmosphere="open and calm",
    ),
    Background(
        name="night", is_place=True, paint=_night, tones=("black", "purple"), likes=("air",),
        within=("at night under the stars", "under a starry night sky", "at night"),
        across=("through the night", "under a starry night sky", "at night under the stars"),
        over=("in the night sky", "in a starry night sky", "at night under the stars"),
        setting="a dark plain under a night sky with stars and a crescent moon",
        lighting="dim moonlight", atmosphere="quiet and mysterious", light=(0.82, 0.86, 1.0),
    ),
    Background(
        name="snow", is_place=True, paint=_snow, tones=(), likes=("ground", "air"),
        within=("in the snow", "in a snowy field", "on a snowy field"),
        across=("across a snowy field", "through the snow", "across the snow"),
        over=("over a snowy field", "above the snow", "over the snow"),
        setting="a snowy field with dark pine trees under a pale winter sky",
        lighting="cold, even winter light", atmosphere="still and frosty", light=(0.97, 0.99, 1.0),
    ),
    Background(
        name="sunset", is_place=True, paint=_sunset, tones=("orange",), likes=("ground", "air"),
        within=("at sunset", "in front of an orange sunset", "under a sunset sky"),
        across=("at sunset", "past an orange sunset", "under a sunset sky"),
        over=("at sunset", "past an orange sunset", "in a sunset sky"),
        setting="a dark plain in front of a large yellow sun and an orange and purple sky",
        lighting="warm evening light", atmosphere="warm and peaceful", light=(1.0, 0.93, 0.86),
    ),
)  # fmt: skip

BACKGROUNDS: Mapping[str, Background] = MappingProxyType(
    {name: _plain_background(name, colour) for name, colour in _PLAIN_COLOURS.items()}
    | {place.name: place for place in _PLACES}
)
