"""Effects to learn from: weather, machines, blows, animals' calls and the beeps of games, each made up anew."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from muybridge.training.curating.sound_shapes import (
    FRAME,
    RATE_HZ,
    Wave,
    coloured,
    drift,
    echoed,
    held,
    laid,
    shaped,
    swell,
    tone,
    unit,
)


def effect(rng: np.random.Generator, num_samples: int) -> Wave:
    """One kind, at times with another behind it."""
    names = list(EFFECTS)
    wave = unit(EFFECTS[names[int(rng.integers(len(names)))]](rng, num_samples))
    if rng.uniform() < 0.3:
        wave = wave + rng.uniform(0.05, 0.7) * unit(EFFECTS[names[int(rng.integers(len(names)))]](rng, num_samples))
    return unit(echoed(wave, rng, decay_s=rng.uniform(0.05, 0.5), share=rng.uniform(0, 0.8)))


def _weather(rng: np.random.Generator, num_samples: int) -> Wave:
    """Wind, rain, surf, traffic: noise that swells."""
    low = rng.uniform(20, 800)
    noise = coloured(rng, num_samples, slope=rng.uniform(0, 2.2), low_hz=low, high_hz=low + rng.uniform(300, 7500))
    return noise * np.exp(rng.uniform(0, 0.8) * drift(rng, num_samples, per_s=rng.uniform(0.3, 4)))


def _howl(rng: np.random.Generator, num_samples: int) -> Wave:
    """Noise through a band that wanders: gusts, saws, jets, breath, zips."""
    hz = np.fft.rfftfreq(2 * FRAME, 1 / RATE_HZ)
    count = num_samples // FRAME + 2
    middle = rng.uniform(200, 4000) * 2 ** (0.5 * drift(rng, count * FRAME, per_s=rng.uniform(0.5, 6))[::FRAME])
    gains = np.exp(-(((hz - middle[:, None]) / (middle[:, None] * rng.uniform(0.1, 0.7))) ** 2)) + 0.01
    return shaped(rng.standard_normal(num_samples), gains)


def _engine(rng: np.random.Generator, num_samples: int) -> Wave:
    """Motors, drills, fans, propellers: a hum that wavers, beats of it, and noise."""
    base = rng.uniform(18, 160) * 2 ** (rng.uniform(0.005, 0.3) * drift(rng, num_samples, per_s=rng.uniform(0.3, 3)))
    overtones = rng.uniform(0, 1, int(rng.integers(8, 40)))
    hum = unit(tone(base, overtones * np.linspace(1, 0.1, len(overtones))))
    beat = 1 + rng.uniform(0, 0.9) * np.sin(2 * np.pi * np.cumsum(base / rng.integers(1, 9)) / RATE_HZ)
    noise = coloured(rng, num_samples, slope=rng.uniform(0, 2), low_hz=50, high_hz=rng.uniform(500, 8000))
    return hum * beat + rng.uniform(0.1, 1.5) * noise * beat


def _blow(rng: np.random.Generator) -> Wave:
    """A thing that is struck: its modes, and the noise of touching."""
    size = int(rng.uniform(0.05, 0.9) * RATE_HZ)
    at, base = np.arange(size) / RATE_HZ, rng.uniform(60, 2500)
    decay_s, count = rng.uniform(0.008, 0.25), int(rng.integers(3, 14))
    ratios = 1 + np.sort(rng.uniform(0, 9, count))
    modes = [
        rng.uniform(0.1, 1) * np.sin(2 * np.pi * base * ratio * at) * np.exp(-at * ratio**0.7 / decay_s)
        for ratio in ratios
        if base * ratio < RATE_HZ / 2
    ]
    touch = coloured(rng, size, slope=rng.uniform(0, 1.5), low_hz=100, high_hz=rng.uniform(1000, 8000))
    return np.sum(modes, axis=0) + rng.uniform(0.2, 3) * touch * np.exp(-at / rng.uniform(0.003, 0.08))


def _blows(rng: np.random.Generator, num_samples: int) -> Wave:
    """Knocks, steps, clatter, hooves: evenly or not, alike or not."""
    blows = [_blow(rng) for _ in range(int(rng.choice((1, 1, 2, 5))))]
    gap_s, uneven = rng.uniform(0.08, 1.2), float(rng.choice((0.03, 0.3, 1)))
    pieces, at_s = [], rng.uniform(0, 0.5)
    while at_s * RATE_HZ < num_samples:
        pieces.append((int(at_s * RATE_HZ), blows[int(rng.integers(len(blows)))] * rng.uniform(0.3, 1)))
        at_s += max(0.03, gap_s * (1 + uneven * rng.standard_normal()))
        if rng.uniform() < 0.08:
            at_s += rng.uniform(0.5, 1.5)
    return laid(pieces, num_samples)


def _crackle(rng: np.random.Generator, num_samples: int) -> Wave:
    """Fire, rain on leaves, typing, bubbles: many small ones."""
    is_wet = rng.uniform() < 0.5
    pieces = []
    for _ in range(int(num_samples / RATE_HZ * rng.uniform(5, 80))):
        size = int(rng.uniform(0.004, 0.05) * RATE_HZ)
        at = np.arange(size) / RATE_HZ
        base = rng.uniform(400, 4000)
        grain = np.sin(2 * np.pi * base * at * (1 + 4 * at)) if is_wet else rng.standard_normal(size)
        grain = grain * np.exp(-at / rng.uniform(0.001, 0.015)) * rng.exponential()
        pieces.append((int(rng.integers(num_samples)), grain))
    return unit(laid(pieces, num_samples)) + rng.uniform(0, 0.3) * _weather(rng, num_samples)


def _bang(rng: np.random.Generator, num_samples: int) -> Wave:
    """Thunder, shots, explosions, splashes, cheering: noise that dies away, or comes and goes."""
    wave = coloured(rng, num_samples, slope=rng.uniform(0.3, 2.5), low_hz=30, high_hz=rng.uniform(300, 8000))
    shape = swell(num_samples, attack_s=rng.choice((0.003, 0.05, 0.4)), decay_s=rng.uniform(0.1, 1.5))
    start = int(rng.uniform(0, 0.3) * num_samples)
    rumble = np.exp(rng.uniform(0, 0.7) * drift(rng, num_samples, per_s=rng.uniform(2, 20)))
    return laid([(start, wave * shape * rumble)], num_samples)


def _calls(rng: np.random.Generator, num_samples: int) -> Wave:
    """Birds, dogs, cats, cows, frogs, apes: calls that glide, alike, with pauses."""
    pieces, at_s = [], rng.uniform(0, 0.4)
    base, length_s, gap_s = 2 ** rng.uniform(6.3, 12), rng.uniform(0.04, 1.2), rng.uniform(0.05, 1.2)
    bend, rough, count = rng.uniform(-1.2, 1.2), rng.uniform(0, 1) ** 2, int(rng.integers(1, 16))
    overtones = rng.uniform(0, 1, count) / np.arange(1, count + 1) ** rng.uniform(0, 1.5)
    trill_hz, trill = rng.uniform(6, 40), rng.uniform(0, 0.15) * (rng.uniform() < 0.4)
    while at_s * RATE_HZ < num_samples:
        size = int(length_s * rng.uniform(0.8, 1.2) * RATE_HZ)
        at = np.linspace(0, 1, size)
        course = bend * np.sin(np.pi * at ** rng.uniform(0.4, 2)) + trill * np.sin(2 * np.pi * trill_hz * length_s * at)
        course = course + 0.3 * rough * drift(rng, size, per_s=60)
        call = unit(tone(base * rng.uniform(0.94, 1.06) * 2**course, overtones))
        noise = coloured(rng, size, slope=0.5, low_hz=base, high_hz=4 * base + 500)
        pieces.append((int(at_s * RATE_HZ), (call + rough * noise) * np.sin(np.pi * at) ** rng.uniform(0.3, 1.5)))
        at_s += length_s + gap_s * rng.uniform(0.4, 1.6)
    return unit(laid(pieces, num_samples)) + rng.uniform(0, 0.15) * _weather(rng, num_samples)


def _beeps(rng: np.random.Generator, num_samples: int) -> Wave:
    """Games and devices: sweeps, alarms, lasers, sirens, horns."""
    size = min(num_samples, int(rng.uniform(0.06, 1.5) * RATE_HZ))
    at = np.linspace(0, 1, size)
    base, sweep = rng.uniform(120, 3000), rng.uniform(-3, 3) * (rng.uniform() < 0.75)
    wobble = rng.uniform(0, 0.4) * np.sin(2 * np.pi * rng.uniform(2, 30) * at * size / RATE_HZ) * (rng.uniform() < 0.4)
    overtones = np.arange(1, 16) ** -rng.uniform(0.5, 3)
    beep = tone(base * 2 ** (sweep * at ** rng.uniform(0.4, 2) + wobble), overtones) * held(size, edge_s=0.01)
    beep = beep * np.exp(-at * rng.uniform(0, 4))
    period = size + int(rng.uniform(0.02, 1.5) * RATE_HZ)
    starts = range(int(rng.integers(0, RATE_HZ // 2)), num_samples, period if rng.uniform() < 0.6 else num_samples)
    return laid(((start, beep) for start in starts), num_samples)


EFFECTS: Mapping[str, Callable[[np.random.Generator, int], Wave]] = MappingProxyType(
    {
        "weather": _weather, "howl": _howl, "engine": _engine, "blows": _blows, "crackle": _crackle, "bang": _bang,
        "calls": _calls, "beeps": _beeps,
    }
)  # fmt: skip
