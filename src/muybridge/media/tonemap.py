"""High dynamic range film as ordinary BT.709 pixels, so that it does not look washed out among others."""

import functools
from typing import Literal

import numpy as np
from jaxtyping import UInt8, UInt16

Curve = Literal["pq", "hlg"]

REFERENCE_WHITE_NITS = 203.0  # ITU-R BT.2408: where diffuse white lies in HDR
PEAK_NITS = 1000.0  # ITU-R BT.2100: the display that HLG's system gamma of 1.2 is for
HLG_GAMMA = 1.2
DISPLAY_GAMMA = 2.4  # ITU-R BT.1886
KNEE = 0.75  # convention: below it light is kept as it is, above it highlights roll off towards white
LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # ITU-R BT.2020
TO_BT709 = np.array(  # linear light, BT.2020 primaries to BT.709, ITU-R BT.2087
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)


def tone_map(levels: UInt16[np.ndarray, "h w 3"], *, curve: Curve) -> UInt8[np.ndarray, "h w 3"]:
    """16-bit BT.2020 RGB in PQ or HLG as 8-bit BT.709; white of 203 cd/m2 becomes 0.91 of the range.

    Highlights roll off by their largest channel, which keeps hues.
    """
    light = _light(curve)[levels]
    if curve == "hlg":  # the OOTF acts on luminance, not on channels
        light = light * np.maximum(light @ LUMINANCE, 1e-6)[..., None] ** (HLG_GAMMA - 1)
        light = light * np.float32(PEAK_NITS / REFERENCE_WHITE_NITS)
    light = np.maximum(light @ TO_BT709.T, 0)
    peak = light.max(axis=-1, keepdims=True)
    rolled = KNEE + (1 - KNEE) * -np.expm1(-(peak - KNEE) / (1 - KNEE))
    light = light * np.where(peak > KNEE, rolled / np.maximum(peak, KNEE), 1)
    return np.round(light ** (1 / DISPLAY_GAMMA) * 255).astype(np.uint8)


@functools.cache
def _light(curve: Curve) -> np.ndarray:
    """Linear light of every 16-bit level: multiples of reference white for PQ, of the scene's peak for HLG."""
    signal = np.arange(2**16, dtype=np.float64) / (2**16 - 1)
    if curve == "pq":  # SMPTE ST 2084
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
        return (nits / REFERENCE_WHITE_NITS).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # ARIB STD-B67
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)
