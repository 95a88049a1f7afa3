"""How pleasing a picture is, by rules of thumb: no network that learned it from people can be had with the package.

Six terms from 0 to 1 with named weights. It tells a flat, grey, dim or empty picture from a lively one; it knows
nothing of what is shown, and is no substitute for a judge trained on people's votes.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float32

from muybridge.curation.measures.looks import shrunk
from muybridge.curation.opencv import opencv
from muybridge.media.colour import LUMA_601
from muybridge.media.frames import Picture

SIDE_PX = 96
WEIGHTS: Mapping[str, float] = MappingProxyType({  # judged, not fitted: their sum is 1
    "colourfulness": 0.22, "contrast": 0.22, "exposure": 0.2, "saturation": 0.12, "focus": 0.14, "composition": 0.1,
})  # fmt: skip
FULL_COLOUR = 60.0  # of Hasler and Suesstrunk 2003, who call 59 quite, 82 highly colourful
FULL_CONTRAST = 150.0  # levels between the darkest and the lightest twentieth
GOOD_MEAN, MEAN_REACH = 118.0, 90.0  # levels; so far away a picture is wholly too dark or too light
THIRDS = (1 / 3, 2 / 3)
REACH = 0.28  # in frame sides: so far from the nearest third the weight of what is seen counts nothing


def aesthetic(picture: Picture) -> float:
    """0 to 1."""
    found = terms(picture)
    return float(sum(weight * found[name] for name, weight in WEIGHTS.items()))


def terms(picture: Picture) -> Mapping[str, float]:
    """Each of `WEIGHTS`' terms, 0 to 1."""
    small = shrunk(picture, SIDE_PX).astype(np.float32)
    luma = small @ np.array(LUMA_601, np.float32)
    interest = _interest(luma)
    found = {
        "colourfulness": _colourfulness(small) / FULL_COLOUR, "contrast": _contrast(luma), "exposure": _exposure(luma),
        "saturation": _saturation(small), "focus": _focus(interest), "composition": _composition(interest),
    }  # fmt: skip
    return {name: float(np.clip(value, 0, 1)) for name, value in found.items()}


def _colourfulness(pixels: Float32[np.ndarray, "y x 3"]) -> float:
    """Hasler and Suesstrunk 2003."""
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    first, second = red - green, (red + green) / 2 - blue
    return float(np.hypot(first.std(), second.std()) + 0.3 * np.hypot(first.mean(), second.mean()))


def _contrast(luma: Float32[np.ndarray, "y x"]) -> float:
    low, high = np.percentile(luma, (5, 95))
    return float(high - low) / FULL_CONTRAST


def _exposure(luma: Float32[np.ndarray, "y x"]) -> float:
    """Near middle grey on the whole, little of it clipped."""
    clipped = float(((luma < 4) | (luma > 251)).mean())
    return (1 - (abs(float(luma.mean()) - GOOD_MEAN) / MEAN_REACH) ** 2) * (1 - min(1.0, 2 * clipped))


def _saturation(pixels: Float32[np.ndarray, "y x 3"]) -> float:
    """Best between a third and six tenths; neither grey nor garish."""
    high = pixels.max(-1)
    mean = float(((high - pixels.min(-1)) / np.maximum(high, 16)).mean())
    return min(mean / 0.33, 1.0) * (1 - max(0.0, mean - 0.6) / 0.4)


def _interest(luma: Float32[np.ndarray, "y x"]) -> Float32[np.ndarray, "y x"]:
    """Where the eye goes: fine detail, gathered over some pixels."""
    module = opencv()
    detail = np.abs(module.Laplacian(luma, module.CV_32F))
    return module.GaussianBlur(detail, (0, 0), 3)


def _focus(interest: Float32[np.ndarray, "y x"]) -> float:
    """How much sharper the sharpest tenth is than the calmest half: a subject before a quiet ground."""
    high, low = np.percentile(interest, 90), np.percentile(interest, 50)
    return float((high - low) / (high + low + 1))


def _composition(interest: Float32[np.ndarray, "y x"]) -> float:
    """How near the middle of what is sharp lies to a line of thirds, in each direction."""
    weight = np.maximum(interest - np.percentile(interest, 75), 0)
    total = float(weight.sum())
    if total < 1:
        return 0.0
    height, width = weight.shape
    near = []
    for sums, length in ((weight.sum(0), width), (weight.sum(1), height)):
        middle = float((sums * (np.arange(length) + 0.5)).sum()) / total / length
        near.append(1 - min(abs(middle - third) for third in THIRDS) / REACH)
    return max(0.0, sum(near) / 2)
