"""Where things happen: floors with what stands around them, and the light with its sky."""

import math
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

import numpy as np

from muybridge.worlds.physics.looks import clouds

SKY_PX = 128  # side of a face of the sky's cube map
Rgb = tuple[float, float, float]
Sides = Literal["open", "room"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A floor and its surroundings. `tile_m` is the size of one picture of it; `tones` are colours lost on it.

    `on` are phrases for things on its floor, `over` for things in the air; `setting` describes it, `stands` names what
    stands around.
    """

    floor: str
    tile_m: float
    sides: Sides
    on: tuple[str, ...]
    over: tuple[str, ...]
    setting: str
    tones: tuple[str, ...]
    stands: str = ""
    reflectance: float = 0.0
    wall: Rgb = (0.8, 0.8, 0.8)


PLACES: MappingProxyType[str, Place] = MappingProxyType({
    "meadow": Place(
        floor="grass", tile_m=4.0, sides="open", on=("on the grass", "in a green meadow", "on a lawn"),
        over=("over the grass", "in a green meadow"),
        setting="a green meadow with trees in the distance", tones=("green",), stands="trees",
    ),
    "desert": Place(
        floor="sand", tile_m=4.0, sides="open", on=("on the sand", "in the desert", "in a sandy desert"),
        over=("over the sand", "in the desert"),
        setting="a sandy desert with rocks in the distance", tones=("yellow", "orange", "brown"), stands="rocks",
    ),
    "snowfield": Place(
        floor="snow", tile_m=5.0, sides="open", on=("on the snow", "in a snowy field", "in the snow"),
        over=("over the snow", "in a snowy field"),
        setting="a snowy field with fir trees in the distance", tones=("white",), stands="firs",
    ),
    "square": Place(
        floor="bricks", tile_m=3.2, sides="open", on=("on a brick pavement", "on a town square", "on the red bricks"),
        over=("over a brick pavement", "on a town square"),
        setting="a town square paved with bricks, with houses in the distance", tones=("red", "brown", "orange"),
        stands="houses",
    ),
    "yard": Place(
        floor="concrete", tile_m=4.0, sides="open", on=("on a concrete floor", "in a concrete yard", "on the concrete"),
        over=("over a concrete floor", "in a concrete yard"),
        setting="a concrete yard with stacked crates", tones=("grey",), stands="crates",
    ),
    "board": Place(
        floor="checker", tile_m=4.0, sides="open", on=("on a checkered floor", "on a black and white checkered floor"),
        over=("over a checkered floor",),
        setting="an endless checkered floor with white columns", tones=("black", "white"), stands="columns",
        reflectance=0.06,
    ),
    "parlour": Place(
        floor="wood", tile_m=2.8, sides="room",
        on=("on a wooden floor", "in a room with a wooden floor", "on the floorboards"),
        over=("over a wooden floor", "in a room with a wooden floor"),
        setting="a room with a wooden floor and pale walls", tones=("brown", "orange"), stands="pictures",
        reflectance=0.06, wall=(0.86, 0.82, 0.72),
    ),
    "bathroom": Place(
        floor="tiles", tile_m=2.0, sides="room", on=("on a tiled floor", "on beige tiles"),
        over=("over a tiled floor", "in a tiled room"),
        setting="a room with a tiled floor and light blue walls", tones=("brown",), stands="pictures", reflectance=0.06,
        wall=(0.66, 0.8, 0.86),
    ),
    "gallery": Place(
        floor="marble", tile_m=3.2, sides="room", on=("on a marble floor", "in a marble hall", "on polished marble"),
        over=("over a marble floor", "in a marble hall"),
        setting="a marble hall with columns along its walls", tones=("white", "grey"),
        stands="columns", reflectance=0.1,
        wall=(0.78, 0.74, 0.7),
    ),
    "lounge": Place(
        floor="carpet", tile_m=3.0, sides="room",
        on=("on a purple carpet", "on a carpet", "in a room with a purple carpet"),
        over=("over a purple carpet", "in a room with a purple carpet"),
        setting="a room with a purple carpet and grey-green walls", tones=("purple", "pink"), stands="pictures",
        wall=(0.62, 0.7, 0.62),
    ),
    "studio": Place(
        floor="paper", tile_m=4.0, sides="open", on=("in a photo studio", "on a pale grey studio floor", "in a studio"),
        over=("in a photo studio", "in a studio"),
        setting="a pale grey studio", tones=("grey", "white"), reflectance=0.05,
    ),
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """The light and its sky. `height_deg` is the lamp's or the sun's above the horizon; colours are in [0, 1].

    `zenith`, `horizon` colour the sky; `cloud` is how much of it is covered, `stars` whether there are any.
    """

    words: tuple[str, ...]
    mood: str
    height_deg: float
    sun: Rgb
    ambient: Rgb
    zenith: Rgb
    horizon: Rgb
    cloud: float = 0.0
    has_stars: bool = False


_DAY: tuple[Rgb, Rgb] = ((0.26, 0.5, 0.88), (0.76, 0.87, 0.96))
_ROOM: tuple[Rgb, Rgb] = ((0.7, 0.7, 0.7), (0.7, 0.7, 0.7))
OUTDOORS: MappingProxyType[str, Light] = MappingProxyType({
    "noon": Light(
        words=("bright midday sun", "strong sunlight from above", "clear midday light"), mood="cheerful and clear",
        height_deg=62, sun=(0.74, 0.72, 0.68), ambient=(0.36, 0.38, 0.42), zenith=_DAY[0], horizon=_DAY[1], cloud=0.35,
    ),
    "morning": Light(
        words=("soft morning light", "gentle morning sun"), mood="fresh and quiet",
        height_deg=34, sun=(0.7, 0.64, 0.54), ambient=(0.38, 0.39, 0.42), zenith=(0.42, 0.6, 0.86),
        horizon=(0.96, 0.9, 0.8), cloud=0.2,
    ),
    "evening": Light(
        words=("warm evening light", "golden light of a low sun", "golden hour sunlight"), mood="warm and peaceful",
        height_deg=24, sun=(0.82, 0.6, 0.38), ambient=(0.42, 0.38, 0.38), zenith=(0.34, 0.36, 0.62),
        horizon=(0.98, 0.64, 0.36), cloud=0.3,
    ),
    "overcast": Light(
        words=("soft light under an overcast sky", "diffuse grey light"), mood="calm and subdued",
        height_deg=70, sun=(0.24, 0.24, 0.25), ambient=(0.6, 0.61, 0.63), zenith=(0.62, 0.65, 0.69),
        horizon=(0.78, 0.8, 0.82), cloud=0.7,
    ),
    "night": Light(
        words=("cool moonlight", "pale moonlight at night", "blue light of a starry night"),
        mood="still and mysterious",
        height_deg=48, sun=(0.44, 0.49, 0.62), ambient=(0.27, 0.3, 0.4), zenith=(0.03, 0.05, 0.14),
        horizon=(0.12, 0.17, 0.32), has_stars=True,
    ),
})  # fmt: skip
INDOORS: MappingProxyType[str, Light] = MappingProxyType({
    "lamp": Light(
        words=("warm lamplight", "warm light of a lamp"), mood="cosy and homely", height_deg=64,
        sun=(0.6, 0.51, 0.4), ambient=(0.5, 0.46, 0.41), zenith=_ROOM[0], horizon=(0.5, 0.44, 0.38),
    ),
    "window": Light(
        words=("cool light of a window", "cool daylight from a window"), mood="sober and quiet", height_deg=52,
        sun=(0.46, 0.51, 0.58), ambient=(0.46, 0.48, 0.52), zenith=_ROOM[0], horizon=(0.5, 0.55, 0.62),
    ),
    "softbox": Light(
        words=("even studio light", "soft white studio light"), mood="neat and neutral", height_deg=66,
        sun=(0.5, 0.5, 0.5), ambient=(0.5, 0.5, 0.5), zenith=(0.8, 0.81, 0.83), horizon=(0.7, 0.71, 0.73),
    ),
})  # fmt: skip
LIGHTS: MappingProxyType[str, Light] = MappingProxyType({**OUTDOORS, **INDOORS})


def lights_of(place: str) -> tuple[str, ...]:
    """The lights that suit a place."""
    if place == "studio":
        return ("softbox", "lamp", "window")
    return tuple(OUTDOORS if PLACES[place].sides == "open" else INDOORS)


def towards_sun(light: str, azimuth_deg: float) -> np.ndarray:
    """The unit vector to the sun or lamp (3,); azimuth 0 is behind the camera, 90 to the right of it."""
    height, around = math.radians(LIGHTS[light].height_deg), math.radians(azimuth_deg)
    return np.array([
        math.cos(height) * math.sin(around), -math.cos(height) * math.cos(around), math.sin(height)
    ])  # fmt: skip


@lru_cache(maxsize=len(LIGHTS))
def sky_map(light: str) -> np.ndarray:
    """The sky as MuJoCo's cube map, uint8 (6*s, s, 3): east, west, up, down, south, north, seen from within."""
    sky, ways = LIGHTS[light], _directions()
    height = np.clip(ways[..., 2:], 0, 1) ** 0.6
    colour = np.array(sky.horizon) * (1 - height) + np.array(sky.zenith) * height
    if sky.cloud:
        cover = np.clip((_overhead(ways) - 1 + 1.6 * sky.cloud) * 0.9, 0, 1) * np.clip(ways[..., 2] * 8, 0, 1)
        lit = 0.35 * np.array(sky.horizon) + 0.65 * np.clip(np.array(sky.sun) + np.array(sky.ambient), 0, 1)
        colour = colour + 0.85 * cover[..., None] * (lit - colour)
    if sky.has_stars:
        rng = np.random.default_rng(23)
        bright = (rng.random(colour.shape[:2]) < 0.004) * rng.uniform(0.4, 1.0, colour.shape[:2])
        colour = colour + (bright * np.clip(ways[..., 2] * 4, 0, 1))[..., None]
    return (np.clip(colour, 0, 1) * 255).round().astype(np.uint8)


def _directions() -> np.ndarray:
    """Where each texel of the cube map lies, unit vectors (6*s, s, 3). Measured on MuJoCo 4.0: faces are mirrored."""
    row, column = np.meshgrid(*[(np.arange(SKY_PX) + 0.5) / SKY_PX * 2 - 1] * 2, indexing="ij")
    one = np.ones_like(row)
    faces = (
        (one, column, -row), (-one, -column, -row), (column, -row, one),
        (column, row, -one), (column, -one, -row), (-column, one, -row),
    )  # fmt: skip
    ways = np.concatenate([np.stack(face, axis=-1) for face in faces])
    return ways / np.linalg.norm(ways, axis=-1, keepdims=True)


def _overhead(ways: np.ndarray) -> np.ndarray:
    """Cloud noise on a flat ceiling, looked up along each direction."""
    noise = clouds(256, 17, blur_px=3.0)
    reach = 40 / np.clip(ways[..., 2], 0.12, 1)
    x, y = (np.floor(ways[..., k] * reach).astype(int) % 256 for k in (0, 1))
    return noise[x, y]
