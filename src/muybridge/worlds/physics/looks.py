"""What surfaces look like: named colours, materials, and the patterns painted on things and floors."""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

PATTERN_PX = 128  # side of one face of a thing's cube map
FLOOR_PX = 512  # side of a floor's tile

COLOURS: MappingProxyType[str, tuple[int, int, int]] = MappingProxyType({
    "red": (214, 40, 40), "orange": (240, 128, 24), "yellow": (250, 208, 40), "green": (52, 160, 72),
    "turquoise": (36, 186, 180), "blue": (44, 92, 214), "purple": (128, 66, 180), "pink": (244, 128, 176),
    "brown": (126, 78, 46), "white": (240, 240, 236), "grey": (138, 140, 144), "black": (38, 38, 44),
})  # fmt: skip
_SECOND = MappingProxyType({"white": "black", "yellow": "black", "grey": "yellow", "pink": "purple"})  # others: white


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """A surface: the words for it, MuJoCo's shading terms in [0, 1], its pattern, and density in kg/m3."""

    words: tuple[str, ...]
    specular: float
    shininess: float
    emission: float = 0.0
    reflectance: float = 0.0
    pattern: str = ""
    density: float = 300.0


MATERIALS: MappingProxyType[str, Material] = MappingProxyType({
    "matte": Material(words=("matte",), specular=0.05, shininess=0.05),
    "shiny": Material(words=("shiny", "glossy"), specular=0.9, shininess=0.75),
    "metal": Material(words=("metallic",), specular=1.0, shininess=0.35, pattern="brushed", density=2000.0),
    "checker": Material(words=("checkered",), specular=0.3, shininess=0.4, pattern="checker"),
    "striped": Material(words=("striped",), specular=0.3, shininess=0.4, pattern="striped"),
    "dotted": Material(words=("spotted", "polka-dotted"), specular=0.3, shininess=0.4, pattern="dotted"),
    "glowing": Material(words=("glowing",), specular=0.0, shininess=0.0, emission=0.55),
})  # fmt: skip


def second_colour(colour: str) -> str:
    """The other colour of a pattern on a thing of this colour."""
    return _SECOND.get(colour, "white")


def pattern(name: str, colour: str) -> np.ndarray:
    """A cube map, uint8 (6*p, p, 3): six equal faces of a pattern in a colour and its second colour."""
    row, column = (np.mgrid[:PATTERN_PX, :PATTERN_PX] + 0.5) / PATTERN_PX
    main, other = np.array(COLOURS[colour], float), np.array(COLOURS[second_colour(colour)], float)
    if name == "brushed":
        rng = np.random.default_rng(7)
        lines = _blurred(rng.standard_normal((PATTERN_PX, PATTERN_PX)), across=1.0, along=24.0)
        shade = 0.86 + 0.05 * lines / lines.std() + 0.34 * np.exp(-(((row - 0.35) / 0.14) ** 2))
        face = main * shade[..., None] + 60 * np.clip(shade - 1, 0, 1)[..., None]
    else:
        share = _COVER[name](row, column)[..., None]
        face = main * (1 - share) + other * share
    return np.tile(np.clip(face, 0, 255).round().astype(np.uint8), (6, 1, 1))


def _checker(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return ((row * 4).astype(int) + (column * 4).astype(int)) % 2 == 1


def _striped(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return (row * 8).astype(int) % 2 == 1


def _dotted(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return (((row * 3) % 1 - 0.5) ** 2 + ((column * 3) % 1 - 0.5) ** 2) < 0.26**2


_COVER = MappingProxyType({"checker": _checker, "striped": _striped, "dotted": _dotted})


def _blurred(noise: np.ndarray, *, across: float, along: float) -> np.ndarray:
    """Noise smoothed by a Gaussian of so many pixels down and along the rows; it tiles."""
    down = np.fft.fftfreq(noise.shape[0])[:, None]
    right = np.fft.fftfreq(noise.shape[1])[None]
    weight = np.exp(-2 * np.pi**2 * ((down * across) ** 2 + (right * along) ** 2))
    return np.fft.ifft2(np.fft.fft2(noise) * weight).real


def clouds(size_px: int, seed: int, *, blur_px: float) -> np.ndarray:
    """Soft tiling noise (s, s) of mean 0 and deviation 1 with details from `blur_px` up."""
    rng = np.random.default_rng(seed)
    layers = [
        2.0**k * _unit(_blurred(rng.standard_normal((size_px, size_px)), across=blur_px * 2**k, along=blur_px * 2**k))
        for k in range(4)
    ]
    return _unit(sum(layers, np.zeros((size_px, size_px))))


def _unit(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() + 1e-9)


def _grid(count: int, *, gap: float, offset: bool = False, aspect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """(which tile each pixel is in, whether it is in a joint) for `count` rows of tiles, bricks when `offset`."""
    row, column = (np.mgrid[:FLOOR_PX, :FLOOR_PX] + 0.5) / FLOOR_PX
    r = row * count
    c = column * count / aspect + (np.floor(r) % 2) * 0.5 * offset
    columns = round(count / aspect)
    in_joint = (np.abs(r % 1 - 0.5) > 0.5 - gap) | (np.abs(c % 1 - 0.5) > 0.5 - gap / aspect)
    return np.floor(r).astype(int) * columns + np.floor(c).astype(int) % columns, in_joint


def _tiled(
    tones: tuple[tuple[int, int, int], ...], spread: float, joint: tuple[int, int, int], **grid: float
) -> np.ndarray:
    """Tiles of varying tone with joints between them."""
    number, in_joint = _grid(
        int(grid["count"]), gap=grid["gap"], offset=bool(grid.get("offset", 0)), aspect=grid["aspect"]
    )
    rng = np.random.default_rng(11)
    choice = rng.integers(0, len(tones), number.max() + 1)
    shade = 1 + spread * rng.standard_normal(number.max() + 1)
    base = np.array(tones, float)[choice[number]] * shade[number][..., None]
    return np.where(in_joint[..., None], np.array(joint, float), base)


def _mottled(
    low: tuple[int, int, int], high: tuple[int, int, int], *, blur_px: float, contrast: float = 0.5
) -> np.ndarray:
    """Two colours mixed by soft noise."""
    mix = np.clip(0.5 + contrast * 0.5 * clouds(FLOOR_PX, 3, blur_px=blur_px), 0, 1)[..., None]
    return np.array(low, float) * (1 - mix) + np.array(high, float) * mix


def _planks() -> np.ndarray:
    boards = _tiled(
        ((176, 124, 76), (160, 108, 64), (190, 138, 88)), 0.05, (92, 60, 34), count=8, gap=0.025, offset=1, aspect=4.0
    )
    rng = np.random.default_rng(5)
    grain = _unit(_blurred(rng.standard_normal((FLOOR_PX, FLOOR_PX)), across=1.2, along=30.0))
    return boards * (1 + 0.06 * grain[..., None])


def _checkers(first: tuple[int, int, int], second: tuple[int, int, int]) -> np.ndarray:
    row, column = np.mgrid[:FLOOR_PX, :FLOOR_PX] * 4 // FLOOR_PX
    return np.where(((row + column) % 2 == 0)[..., None], np.array(first, float), np.array(second, float))


def _marble() -> np.ndarray:
    veins = np.abs(clouds(FLOOR_PX, 9, blur_px=5.0))
    share = np.exp(-((veins / 0.12) ** 2))[..., None] * 0.5
    tiles = _tiled(((226, 222, 216), (218, 214, 208)), 0.01, (150, 146, 140), count=2, gap=0.008, aspect=1.0)
    return tiles * (1 - share) + np.array((128, 126, 130)) * share


_PAINTERS = MappingProxyType({
    "wood": _planks,
    "checker": lambda: _checkers((232, 230, 224), (66, 70, 82)),
    "tiles": lambda: _tiled(((206, 196, 178), (196, 184, 166)), 0.03, (150, 142, 130), count=4, gap=0.03, aspect=1.0),
    "marble": _marble,
    "grass": lambda: _mottled((62, 116, 44), (128, 172, 74), blur_px=1.2, contrast=0.7),
    "sand": lambda: _mottled((204, 172, 122), (232, 204, 156), blur_px=1.5),
    "snow": lambda: _mottled((196, 208, 226), (234, 238, 244), blur_px=2.0),
    "concrete": lambda: _mottled((132, 132, 130), (164, 164, 160), blur_px=1.0)
    * np.where(_grid(2, gap=0.006)[1], 0.7, 1.0)[..., None],
    "bricks": lambda: _tiled(
        ((158, 84, 66), (146, 74, 58), (170, 96, 76)), 0.05, (188, 178, 166), count=8, gap=0.06, offset=1, aspect=2.0
    ),
    "carpet": lambda: _mottled((92, 56, 92), (122, 78, 118), blur_px=0.7, contrast=0.8),
    "paper": lambda: np.full((FLOOR_PX, FLOOR_PX, 3), 205.0) * np.where(_grid(4, gap=0.012)[1], 0.86, 1.0)[..., None],
})  # fmt: skip
FLOORS: tuple[str, ...] = tuple(_PAINTERS)


@lru_cache(maxsize=len(FLOORS))
def floor_tile(name: str) -> np.ndarray:
    """A floor's picture, uint8 (f, f, 3), whose opposite edges meet."""
    return np.clip(_PAINTERS[name](), 0, 255).round().astype(np.uint8)
