"""What sounds are made of: noise with a spectrum, tones with overtones, envelopes, and pieces laid along time."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

RATE_HZ = 16_000
Wave = Float[np.ndarray, " n"]
FRAME = 320  # samples over which a changing spectrum stays


def coloured(rng: np.random.Generator, num_samples: int, *, slope: float, low_hz: float, high_hz: float) -> Wave:
    """Noise whose power falls by `slope` decades a decade between soft edges; white at 0."""
    hz = np.fft.rfftfreq(num_samples, 1 / RATE_HZ) + 1
    size = hz ** (-slope / 2) / np.sqrt(1 + (low_hz / hz) ** 4) / np.sqrt(1 + (hz / high_hz) ** 4)
    return unit(np.fft.irfft(np.fft.rfft(rng.standard_normal(num_samples)) * size, num_samples))


def unit(wave: Wave) -> Wave:
    """With mean square 1."""
    return wave / max(float(np.sqrt((wave**2).mean())), 1e-9)


def drift(rng: np.random.Generator, num_samples: int, *, per_s: float) -> Wave:
    """A smooth random curve with mean square about 1 that turns so many times a second."""
    count = max(2, int(num_samples / RATE_HZ * per_s) + 3)
    at = np.linspace(0, count - 1.001, num_samples)
    knots, left = rng.standard_normal(count), at.astype(int)
    part = 0.5 - 0.5 * np.cos(np.pi * (at - left))
    return knots[left] * (1 - part) + knots[left + 1] * part


def tone(hz: Float[np.ndarray, " n"], overtones: Float[np.ndarray, " k"], *, stretch: float = 0.0) -> Wave:
    """A tone of changing pitch with its overtones; `stretch` makes them rise faster than multiples, as in strings."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    wave = np.zeros(len(hz))
    for number, size in enumerate(overtones, start=1):
        ratio = number * np.sqrt(1 + stretch * number**2)
        wave += size * np.sin(ratio * phase) * (ratio * hz < RATE_HZ / 2)
    return wave


def swell(num_samples: int, *, attack_s: float, decay_s: float) -> Wave:
    """From 0 to 1 and back towards 0."""
    at = np.arange(num_samples) / RATE_HZ
    return (1 - np.exp(-at / max(attack_s, 1e-4))) * np.exp(-at / decay_s)


def held(num_samples: int, *, edge_s: float) -> Wave:
    """1 with soft ends."""
    edge = max(1, min(round(edge_s * RATE_HZ), num_samples // 2))
    shape = np.ones(num_samples)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
    shape[:edge], shape[num_samples - edge :] = ramp, ramp[::-1]
    return shape


def laid(pieces: Iterable[tuple[int, Wave]], num_samples: int) -> Wave:
    """Pieces added at their first samples; what reaches over the end is cut."""
    wave = np.zeros(num_samples)
    for start, piece in pieces:
        part = piece[: max(0, num_samples - start)]
        wave[start : start + len(part)] += part
    return wave


def shaped(wave: Wave, gains: Float[np.ndarray, "t k"]) -> Wave:
    """The wave with the spectrum of each `FRAME` multiplied by its row: k = `FRAME` + 1 bins up to half of the rate."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, FRAME), 2 * FRAME)[::FRAME][: len(gains)]
    window = np.hanning(2 * FRAME + 1)[:-1]
    parts = np.fft.irfft(np.fft.rfft(frames * window, axis=1) * gains[: len(frames)], axis=1)
    return laid(((number * FRAME, part) for number, part in enumerate(parts)), len(wave) + 2 * FRAME)[FRAME:-FRAME]


def echoed(wave: Wave, rng: np.random.Generator, *, decay_s: float, share: float) -> Wave:
    """In a room: the wave and its reverberation."""
    length = round(min(3 * decay_s, 1.5) * RATE_HZ)
    room = rng.standard_normal(length) * np.exp(-np.arange(length) / RATE_HZ / decay_s)
    size = 1 << (len(wave) + length - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(room, size), size)[: len(wave)]
    return wave + share * wet * np.sqrt((wave**2).mean() / max((wet**2).mean(), 1e-12))
