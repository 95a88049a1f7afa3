"""The spectrum of a sound, moment by moment: 64 in a second, 256 bins of 31.25 Hz up to 8 kHz, at whatever rate."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from muybridge.media.sound import Sound

MOMENTS_PER_S = 64
WINDOW_S = 0.032
BIN_HZ = 1 / WINDOW_S
NUM_BINS = 256  # up to 8 kHz, which telephones, old films and all others share
FAINTEST = 1e-10


def power(sound: Sound) -> Float[np.ndarray, "t 256"]:
    """Power of the channels' mean in the bins of each moment; 0 above half of the rate. One moment at least."""
    mono = sound.samples.mean(0)
    length = round(WINDOW_S * sound.rate_hz)
    mono = np.pad(mono, (0, max(0, length - len(mono))))
    count = int((len(mono) - length) * MOMENTS_PER_S / sound.rate_hz) + 1
    starts = np.round(np.arange(count) * sound.rate_hz / MOMENTS_PER_S).astype(np.intp)
    windows = np.lib.stride_tricks.sliding_window_view(mono, length)[starts]
    spectra = np.fft.rfft(windows * np.hanning(length).astype(np.float32), axis=1)[:, 1 : NUM_BINS + 1]
    found = np.zeros((count, NUM_BINS), np.float32)
    found[:, : spectra.shape[1]] = (spectra.real**2 + spectra.imag**2) / (length / 4) ** 2
    return found


@lru_cache
def bands(num_bands: int, *, low_hz: float = 60.0, high_hz: float = NUM_BINS * BIN_HZ) -> Float[np.ndarray, "256 k"]:
    """Triangles evenly spaced in mel, each of weight 1, that sum bins into bands."""
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (low_hz, high_hz))
    mel = np.linspace(low, high, num_bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    at_hz = (np.arange(NUM_BINS) + 1) * BIN_HZ
    rising = (at_hz[:, None] - edges[:-2]) / np.maximum(np.diff(edges)[:-1], BIN_HZ)
    falling = (edges[2:] - at_hz[:, None]) / np.maximum(np.diff(edges)[1:], BIN_HZ)
    weights = np.clip(np.minimum(rising, falling), 0, None).astype(np.float32)
    return weights / np.maximum(weights.sum(0), 1e-6)


def onsets(found: Float[np.ndarray, "t 256"]) -> Float[np.ndarray, " t"]:
    """How much each moment is louder than the one before, over bands of like width to the ear: 0 where nothing starts.

    In decades of power, summed over the bands that rise.
    """
    if len(found) < 2:
        return np.zeros(len(found))
    loud = np.log10(found @ bands(20) + 1e-7)
    rise = np.maximum(loud[2:] - loud[:-2], 0).mean(1)  # over two moments: windows overlap by half
    return np.concatenate([[0.0], rise, [0.0]])
