"""Visual styles of the staged edition: cheap filters over the finished film, all sizes relative to the frame's height.

A style is a function of a film, float32 (t, 3, h, w) in 0-255, and a seed, to a film of the same shape and range.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from muybridge.media.colour import LUMA_601

Film = Float[Tensor, "t 3 h w"]
Filter = Callable[[Film, int], Film]
PLAIN_STYLE = "3D render"
_ORTHOCHROMATIC = (0.12, 0.42, 0.46)  # red looks dark and blue skies white, as in films of the 1910s


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """A style: `phrases` name it in captions; `atmosphere` is its mood.

    `has_colours`: whether things keep the colours by which captions call them.
    """

    name: str
    phrases: tuple[str, ...]
    atmosphere: str
    apply: Filter
    has_colours: bool = True


def _plain(film: Film, seed: int) -> Film:
    """As it is rendered."""
    return film


def _watercolour(film: Film, seed: int) -> Film:
    """Pale washes in few tones with darker rims on grained paper, fading to white towards the edges."""
    height, width = film.shape[-2:]
    soft = _blurred(film, 0.02)
    grey = _grey(soft)
    steps = torch.round(_blurred(grey, 0.03) / 42) * 42
    washed = grey + 0.5 * (steps - grey) + 1.3 * (soft - grey)
    pale = 255 - (255 - washed) * 0.74
    rims = torch.clamp(_edges(soft, 0.02) - 8, 0, 70)
    blots = _noise(seed, (1, 1, 7, 7), (height, width)) * 5 + _noise(seed + 1, (1, 1, 64, 64), (height, width)) * 3
    x, y = torch.linspace(-1, 1, width).abs()[None], torch.linspace(-1, 1, height).abs()[:, None]
    frayed = _noise(seed + 2, (1, 1, 24, 24), (height, width))[0, 0] * 0.018
    margin = torch.clamp((torch.maximum(x, y) + frayed - 0.9) / 0.05, 0, 1)
    painted = pale - rims + blots
    return painted + (250 - painted) * margin


def _pencil(film: Film, seed: int) -> Film:
    """Grey outlines and diagonal hatching of the dark parts on white paper."""
    height, width = film.shape[-2:]
    lines = torch.clamp(_edges(film, 0.012) * 3.2 - 22, 0, 205)
    period = max(4.0, height / 24)
    across = (torch.arange(width)[None] + torch.arange(height)[:, None]) * (2 * torch.pi / period)
    hatch = (0.5 + 0.5 * torch.cos(across)) ** 1.5
    tone = torch.clamp((150 - _blurred(_grey(film), 0.015)) / 150, 0, 1)
    paper = 246 + _noise(seed, (1, 1, height, width), (height, width)) * 3
    return (paper - lines - 150 * tone * hatch - 34 * tone).expand(-1, 3, -1, -1)


def _pixel_art(film: Film, seed: int) -> Film:
    """About 43 rows of large square pixels in a small saturated palette."""
    height, width = film.shape[-2:]
    block = max(2, round(height / 43))
    coarse = avg_pool2d(film, block, ceil_mode=True, count_include_pad=False)
    grey = _grey(coarse)
    vivid = torch.clamp(grey + 1.35 * (coarse - grey), 0, 255)
    palette = torch.round(vivid / 51) * 51
    return palette.repeat_interleave(block, -2).repeat_interleave(block, -1)[..., :height, :width]


def _neon(film: Film, seed: int) -> Film:
    """Glowing outlines in violet, cyan and the things' own colours on a nearly black picture."""
    edges = torch.clamp(_edges(film, 0.014) * 4 - 16, 0, 255) / 255
    grey = _grey(film)
    hue = torch.clamp(grey + 3.0 * (film - grey), 0, 255)
    height = film.shape[-2]
    down = torch.linspace(0, 1, height)[:, None]
    tube = torch.stack([40 + 215 * down, 220 - 190 * down, 255 - 40 * down])
    light = edges * (0.6 * hue + 0.4 * tube)
    glow = _blurred(_blurred(light, 0.05), 0.05)
    return light + 0.9 * glow + film * 0.1 + torch.tensor([8.0, 2.0, 20.0])[:, None, None]


def _old_film(film: Film, seed: int) -> Film:
    """Faded sepia with flicker, grain, scratches and dark corners, from film that hardly sees red."""
    frames, _, height, width = film.shape
    chance = np.random.default_rng(seed)
    grey = torch.einsum("tchw,c->thw", film, torch.tensor(_ORTHOCHROMATIC))[:, None]
    grey = torch.clamp((grey - 128) * 1.1 + 128, 0, 255)
    grey = grey * torch.from_numpy(chance.normal(1, 0.045, (frames, 1, 1, 1)).astype(np.float32))
    grain = chance.standard_normal((frames, 1, height // 2, width // 2), dtype=np.float32)
    grey = grey + 8 * interpolate(torch.from_numpy(grain), size=(height, width), mode="bilinear")
    for _ in range(2):
        column, first = int(chance.integers(width)), int(chance.integers(frames))
        grey[first : first + 1 + frames // 3, :, :, column] += 65
    x, y = torch.linspace(-1, 1, width)[None], torch.linspace(-1, 1, height)[:, None]
    vignette = 1 - 0.62 * torch.clamp(x**2 + y**2 - 0.55, 0, 1)
    sepia = torch.tensor([1.08, 0.9, 0.64])[:, None, None]
    return grey * vignette * sepia + torch.tensor([14.0, 9.0, 4.0])[:, None, None]


def _comic(film: Film, seed: int) -> Film:
    """Flat bright colours in four tones, black outlines, and halftone dots in the shade."""
    height, width = film.shape[-2:]
    grey = _grey(film)
    tone = torch.round(_blurred(grey, 0.015) / 70) * 70
    flat = torch.clamp(tone + 1.7 * (film - grey) + 12, 0, 255)
    pitch = max(4.0, height / 20) / (2 * torch.pi)
    x, y = torch.arange(width)[None] / pitch, torch.arange(height)[:, None] / pitch
    dots = torch.clamp(torch.cos(x + y / 2) * torch.cos(y) * 3 - 0.6, 0, 1)
    shade = torch.clamp((150 - tone) / 150, 0, 1)
    ink = torch.clamp(_edges(film, 0.014) * 4 - 60, 0, 255) / 255
    return (flat - 70 * shade * dots) * (1 - ink)


_ALL = (
    Style(
        name=PLAIN_STYLE, apply=_plain, atmosphere="playful",
        phrases=("a glossy 3D cartoon render", "a 3D rendered cartoon", "polished 3D animation"),
    ),
    Style(
        name="watercolour", apply=_watercolour, atmosphere="delicate",
        phrases=("a watercolour painting", "a soft watercolour on paper", "a loose watercolour illustration"),
    ),
    Style(
        name="pencil sketch", apply=_pencil, has_colours=False, atmosphere="sober",
        phrases=("a pencil sketch", "a black and white pencil drawing", "a hatched pencil drawing on white paper"),
    ),
    Style(
        name="pixel art", apply=_pixel_art, atmosphere="nostalgic",
        phrases=("pixel art", "retro pixel art", "8-bit pixel art from an old video game"),
    ),
    Style(
        name="neon", apply=_neon, has_colours=False, atmosphere="electric",
        phrases=("glowing neon outlines in the dark", "a neon drawing on black", "neon line art at night"),
    ),
    Style(
        name="old film", apply=_old_film, has_colours=False, atmosphere="bygone",
        phrases=("a sepia silent film", "a scratched old film in sepia", "grainy vintage film footage"),
    ),
    Style(
        name="comic", apply=_comic, atmosphere="punchy",
        phrases=("a comic book drawing", "a comic with black outlines and flat colours", "a printed comic strip"),
    ),
)  # fmt: skip
STYLES: Mapping[str, Style] = MappingProxyType({style.name: style for style in _ALL})


def _grey(film: Film) -> Float[Tensor, "t 1 h w"]:
    return torch.einsum("tchw,c->thw", film, torch.tensor(LUMA_601))[:, None]


def _blurred(film: Float[Tensor, "t c h w"], share: float) -> Float[Tensor, "t c h w"]:
    """A box blur over `share` of the height, never less than three pixels."""
    side = max(1, round(film.shape[-2] * share / 2)) * 2 + 1
    return avg_pool2d(film, side, stride=1, padding=side // 2, count_include_pad=False)


def _edges(film: Float[Tensor, "t c h w"], share: float) -> Float[Tensor, "t 1 h w"]:
    """How much the most changing channel changes over `share` of the height."""
    step = max(1, round(film.shape[-2] * share))
    across, down = torch.zeros_like(film), torch.zeros_like(film)
    torch.sub(film[..., step:], film[..., :-step], out=across[..., :-step])
    torch.sub(film[..., step:, :], film[..., :-step, :], out=down[..., :-step, :])
    return torch.maximum(across.abs(), down.abs()).amax(dim=1, keepdim=True)


def _noise(seed: int, shape: tuple[int, ...], size: tuple[int, int]) -> Float[Tensor, "1 1 h w"]:
    """Standard normal noise, smooth between the points of a coarser grid."""
    coarse = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)
    return interpolate(torch.from_numpy(coarse), size=size, mode="bilinear", align_corners=False)
