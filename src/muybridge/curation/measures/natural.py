"""The statistics of a picture's texture, from which NIQE and BRISQUE tell natural pictures from damaged ones.

Differences from the local mean, in local deviations, are nearly Gaussian in clean photographs, and so are products of
neighbours; damage changes how heavy and how lopsided their tails are. Mittal et al. 2012 (BRISQUE), 2013 (NIQE).
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float

from muybridge.curation.measures.looks import Grey
from muybridge.curation.opencv import opencv

PATCH_PX = 96  # Mittal 2013
MIN_SHARPNESS = 0.75  # of a pristine patch, as a share of the sharpest of its picture; Mittal 2013
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
_C = 1.0  # a level: keeps flat parts from being divided by nothing; both papers
_TINY = 1e-9

PerPatch = Float[np.ndarray, "n maps"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Texture:
    """Moments of n patches' ten maps: the normalised picture and its products with four neighbours, at two scales.

    left, right: root mean squares of the values below and above zero; size: mean absolute value; square: mean square.
    sharpness (n,): mean local deviation, in levels.
    """

    left: PerPatch
    right: PerPatch
    size: PerPatch
    square: PerPatch
    sharpness: Float[np.ndarray, " n"]


def texture(luma: Grey, *, patch_px: int | None = PATCH_PX) -> Texture | None:
    """Of the patches that lie side by side in a picture; None where none fits. patch_px None: the picture is one."""
    height, width = (patch_px, patch_px) if patch_px else (side - side % 2 for side in luma.shape)
    rows, columns = luma.shape[0] // height, luma.shape[1] // width
    if rows * columns == 0:
        return None
    levels = luma[: rows * height, : columns * width].astype(np.float32)
    half = opencv().resize(levels, (levels.shape[1] // 2, levels.shape[0] // 2), interpolation=opencv().INTER_AREA)
    (normal, deviation), (normal_half, _) = _normalised(levels), _normalised(half)
    maps = [_moments(each, rows, columns) for picture in (normal, normal_half) for each in _with_products(picture)]
    left, right, size, square = (np.stack(moment, axis=1) for moment in zip(*maps, strict=True))
    sharpness = _block_means(deviation, rows, columns)
    return Texture(left=left, right=right, size=size, square=square, sharpness=sharpness)


def niqe_features(found: Texture) -> Float[np.ndarray, "n 36"]:
    """Mittal 2013, 3.2: of every map the shape and the widths of an asymmetric generalised Gaussian."""
    shape, left, right, mean = _fit(found)
    first, products = (0, 5), (1, 2, 3, 4, 6, 7, 8, 9)
    of_maps = [shape[:, first], (left + right)[:, first] / 2]
    of_products = [each[:, products] for each in (shape, mean, left, right)]
    return np.concatenate([*of_maps, *of_products], axis=1)


def brisque_features(found: Texture) -> Float[np.ndarray, "36"]:
    """Mittal 2012, III.A, of a whole picture, in the order of the authors' support vectors."""
    shape, _, _, mean = _fit(found)
    plain = _shape_of(found.size**2 / np.maximum(found.square, _TINY))
    values = []
    for scale in (0, 5):
        values += [plain[0, scale], found.square[0, scale]]
        for number in range(scale + 1, scale + 5):
            values += [shape[0, number], mean[0, number], found.left[0, number] ** 2, found.right[0, number] ** 2]
    return np.array(values)


def _normalised(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture less its local mean over its local deviation, and this deviation."""
    blurred = [opencv().GaussianBlur(each, (7, 7), 7 / 6) for each in (levels, levels * levels)]
    deviation = np.sqrt(np.maximum(blurred[1] - blurred[0] ** 2, 0))
    return (levels - blurred[0]) / (deviation + _C), deviation


def _with_products(normal: np.ndarray) -> list[np.ndarray]:
    return [normal, *(normal * np.roll(normal, shift, (0, 1)) for shift in _SHIFTS)]


def _moments(values: np.ndarray, rows: int, columns: int) -> tuple[np.ndarray, ...]:
    """left, right, size and square of `Texture`, of each patch."""
    negative = np.minimum(values, 0)
    positive = values - negative
    share = np.clip(_block_means((values < 0).astype(np.float32), rows, columns), _TINY, 1 - _TINY)
    below, above = (_block_means(part * part, rows, columns) for part in (negative, positive))
    size = _block_means(positive - negative, rows, columns)
    return np.sqrt(below / share), np.sqrt(above / (1 - share)), size, below + above


def _block_means(values: np.ndarray, rows: int, columns: int) -> Float[np.ndarray, " n"]:
    """Means of the patches, row by row, in double precision."""
    height, width = values.shape[0] // rows, values.shape[1] // columns
    sums = np.add.reduceat(values, np.arange(0, values.shape[1], width), axis=1, dtype=np.float64)
    return (sums.reshape(rows, height, columns).sum(1) / (height * width)).ravel()


def _fit(found: Texture) -> tuple[PerPatch, PerPatch, PerPatch, PerPatch]:
    """Shape, left and right scale, and mean of asymmetric generalised Gaussians, by matched moments.

    Lasmar, Stitou, Berthoumieu 2009, as both papers use it.
    """
    skew = found.left / np.maximum(found.right, _TINY)
    ratio = found.size**2 / np.maximum(found.square, _TINY)
    shape = _shape_of(ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2)
    exponents, _, scales, means = _gammas()
    scale = np.interp(shape, exponents, scales)
    left, right = found.left * scale, found.right * scale
    return shape, left, right, (right - left) * np.interp(shape, exponents, means)


def _shape_of(ratio: np.ndarray) -> np.ndarray:
    """The exponent of the generalised Gaussian whose squared mean absolute value is this share of its variance."""
    exponents, ratios, _, _ = _gammas()
    return np.interp(ratio, ratios, exponents)


@cache
def _gammas() -> tuple[np.ndarray, ...]:
    """For exponents a from 0.2 to 10: G(2/a)^2 / G(1/a) G(3/a), sqrt(G(1/a) / G(3/a)) and G(2/a) / G(1/a)."""
    exponents = np.arange(0.2, 10.0, 0.005)
    first, second, third = (np.array([math.lgamma(k / each) for each in exponents]) for k in (1, 2, 3))
    return exponents, np.exp(2 * second - first - third), np.exp((first - third) / 2), np.exp(second - first)
