"""Light of the staged edition: where it comes from, what it tints, how shadows fall, and what captions call it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.worlds.backgrounds import Background

Tint = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """One light. `lighting` is what captions call it; `mood` is the one it sets, "" leaves the place's.

    `fall`: where the shadow of something 1 high ends, to the right and away from the camera. `shadow` and `contact` are
    the darkest parts of the cast and of the contact shadow. `air` tints the place, `body` the subjects. `side` in
    [-1, 1] brightens their right (or left) half. `haze` takes colour from the place. `pool`
    darkens the picture outside a circle of light that follows the subjects.
    """

    name: str
    lighting: str
    fall: tuple[float, float]
    shadow: float
    mood: str = ""
    contact: float = 0.45
    air: Tint = (1.0, 1.0, 1.0)
    body: Tint = (1.0, 1.0, 1.0)
    side: float = 0.0
    haze: float = 0.0
    pool: float = 0.0


_DAY = (
    Light(
        name="noon", lighting="bright midday sunlight from high above with short shadows",
        fall=(0.2, 0.5), shadow=0.42, air=(1.04, 1.04, 1.02), body=(1.04, 1.03, 1.0),
    ),
    Light(
        name="morning", lighting="soft warm morning light from the left with long shadows to the right",
        fall=(0.95, 1.0), shadow=0.36, air=(1.04, 0.98, 0.88), body=(1.06, 0.98, 0.88), side=-0.28,
    ),
    Light(
        name="afternoon", lighting="clear afternoon light from the right with long shadows to the left",
        fall=(-0.85, 0.9), shadow=0.4, air=(1.03, 1.0, 0.94), body=(1.05, 1.0, 0.94), side=0.28,
    ),
    Light(
        name="golden hour", lighting="warm golden light of the low sun from the right with very long shadows",
        mood="nostalgic", fall=(-1.5, 1.1), shadow=0.45, air=(1.1, 0.87, 0.6), body=(1.12, 0.9, 0.64), side=0.4,
    ),
    Light(
        name="overcast", lighting="flat grey light from an overcast sky with hardly any shadow", mood="subdued",
        fall=(0.1, 0.25), shadow=0.0, contact=0.4, air=(0.84, 0.87, 0.9), body=(0.86, 0.89, 0.93),
        haze=0.6,
    ),
    Light(
        name="dusk", lighting="dim cool blue light after sunset with faint shadows", mood="melancholic",
        fall=(0.7, 0.8), shadow=0.16, contact=0.35, air=(0.42, 0.48, 0.78), body=(0.6, 0.65, 0.92), side=-0.18,
    ),
)  # fmt: skip
_NIGHT = (
    Light(
        name="moon from the left", lighting="pale moonlight from the left with soft shadows to the right",
        mood="dreamlike", fall=(0.9, 1.0), shadow=0.4, body=(0.7, 0.77, 1.0), side=-0.35,
    ),
    Light(
        name="moon from the right", lighting="pale moonlight from the right with soft shadows to the left",
        mood="eerie", fall=(-0.9, 1.0), shadow=0.4, body=(0.7, 0.77, 1.0), side=0.35,
    ),
)  # fmt: skip
_SUNSET = (
    Light(
        name="backlight", lighting="orange backlight of the setting sun with shadows falling towards the camera",
        mood="romantic", fall=(0.2, -0.42), shadow=0.5, body=(0.86, 0.66, 0.58),
    ),
    Light(
        name="last light", lighting="reddish evening light from the left with long shadows to the right",
        mood="wistful", fall=(1.3, 1.0), shadow=0.45, body=(1.0, 0.78, 0.66), side=-0.35,
    ),
)  # fmt: skip
_STUDIO = (
    Light(
        name="soft box", lighting="soft even studio light with a gentle shadow",
        fall=(0.4, 0.7), shadow=0.16, contact=0.35,
    ),
    Light(
        name="key light", lighting="hard studio light from the right with a dark shadow to the left", mood="bold",
        fall=(-0.9, 0.9), shadow=0.5, side=0.4, body=(1.04, 1.02, 0.98),
    ),
    Light(
        name="spotlight", lighting="a single spotlight from above in a dark room", mood="dramatic",
        fall=(0.1, 0.3), shadow=0.45, contact=0.55, pool=0.85, body=(1.06, 1.04, 0.98),
    ),
)  # fmt: skip

LIGHTS: Mapping[str, Light] = MappingProxyType({light.name: light for light in (*_DAY, *_NIGHT, *_SUNSET, *_STUDIO)})
_OF_PLACE: Mapping[str, tuple[Light, ...]] = MappingProxyType({"night": _NIGHT, "sunset": _SUNSET})


def lights_of(background: Background) -> tuple[str, ...]:
    """Names of the lights in which a background can stand."""
    fitting = _OF_PLACE.get(background.name, _DAY if background.is_place else _STUDIO)
    return tuple(light.name for light in fitting)


def shaded(sprite: Float[Tensor, "t 4 s s"], light: Light) -> Float[Tensor, "t 4 s s"]:
    """A premultiplied drawing (0-255) tinted by the light and brighter on the side that it comes from."""
    across = torch.linspace(-1, 1, sprite.shape[-1])
    gain = torch.tensor(light.body)[:, None, None] * (1 + light.side * across)
    lit = torch.minimum(sprite[:, :3] * gain, sprite[:, 3:])  # premultiplied: no colour above its alpha
    return torch.cat([lit, sprite[:, 3:]], dim=1)


def lit_place(film: Float[Tensor, "t 3 h w"], light: Light) -> Float[Tensor, "t 3 h w"]:
    """The empty place (0-255) in the light's tint."""
    if light.haze:
        film = film + light.haze * (film.mean(dim=1, keepdim=True) - film)
    return film * torch.tensor(light.air)[:, None, None]


def pooled_light(film: Float[Tensor, "t 3 h w"], light: Light, *, middles: np.ndarray) -> None:
    """Darken the film outside circles around `middles` (t, 2), x from the middle and y from the top, in place."""
    if light.pool:
        height, width = film.shape[-2:]
        x = (torch.arange(width) + 0.5 - width / 2)[None, None] / height
        y = (torch.arange(height) + 0.5)[None, :, None] / height
        across, down = torch.from_numpy(middles.astype(np.float32)).unbind(dim=1)
        distance = torch.sqrt((x - across[:, None, None]) ** 2 + (y - down[:, None, None]) ** 2)
        film *= (1 - light.pool * torch.clamp((distance - 0.36) / 0.2, 0, 1))[:, None]
