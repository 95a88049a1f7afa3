"""Music to learn from, made up and played by a small synthesiser: chords of a key, a melody, a bass and drums."""

import numpy as np

from muybridge.training.curating.sound_shapes import (
    RATE_HZ,
    Wave,
    coloured,
    held,
    laid,
    swell,
    tone,
    unit,
)

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 3, 5, 7, 10), (0, 2, 4, 7, 9))
PARTS = ("chords", "melody", "bass", "drums", "arpeggio", "pad")
DRUMS = ("kick", "snare", "hat", "tom", "bongo", "cymbal")


def music(rng: np.random.Generator, num_samples: int) -> Wave:
    """One to four parts over one beat."""
    beat_s, scale = 60 / rng.uniform(60, 180), np.array(SCALES[int(rng.integers(len(SCALES)))])
    key = int(rng.integers(40, 64))
    chords = rng.integers(0, len(scale), 8)
    count = int(rng.choice((1, 1, 2, 2, 3, 4)))
    parts = [str(part) for part in rng.choice(PARTS, count, replace=False, p=(0.2, 0.25, 0.1, 0.2, 0.15, 0.1))]
    start = int(rng.uniform(0, 4 * beat_s) * RATE_HZ)
    whole = np.zeros(num_samples + start)
    for part in parts:
        play = _drums if part == "drums" else _notes
        made = play(rng, part, (len(whole), beat_s, key, scale, chords))
        whole += unit(made) * rng.uniform(0.4, 1)
    return unit(whole[start:])


Piece = tuple[int, float, int, np.ndarray, np.ndarray]  # samples, s of a beat, key, scale, chords


def _notes(rng: np.random.Generator, part: str, piece: Piece) -> Wave:
    num_samples, beat_s, key, scale, chords = piece
    instrument = _Instrument(rng, is_held=part == "pad" or (part == "melody" and rng.uniform() < 0.6))
    step_s = beat_s * {"chords": float(rng.choice((1, 2, 4))), "melody": 0.5, "bass": 1, "arpeggio": 0.5}.get(part, 4)
    octave = {"bass": -12, "melody": 12, "arpeggio": 12}.get(part, 0) + 12 * int(rng.integers(0, 2))
    degree, pieces, at_s, number = 0, [], 0.0, 0
    while at_s * RATE_HZ < num_samples:
        chord = int(chords[int(at_s / (4 * beat_s)) % len(chords)])
        length_s = step_s * float(rng.choice((1, 1, 2, 3))) if part == "melody" else step_s
        degree = degree + int(rng.integers(-2, 3)) if part == "melody" else chord + 2 * (number % 3)
        degrees = [chord, chord + 2, chord + 4] if part in ("chords", "pad") else [chord if part == "bass" else degree]
        if part != "melody" or rng.uniform() > 0.12:
            for each in degrees:
                pitch = key + octave + int(scale[each % len(scale)]) + 12 * (each // len(scale))
                start = int((at_s + abs(rng.normal(0, 0.006))) * RATE_HZ)
                pieces.append((start, instrument.note(440 * 2 ** ((pitch - 69) / 12), length_s)))
        at_s, number = at_s + length_s, number + 1
    return laid(pieces, num_samples)


class _Instrument:
    """One timbre: blown, bowed, sung or plucked by its overtones and envelope."""

    def __init__(self, rng: np.random.Generator, *, is_held: bool) -> None:
        self.rng, self.is_held = rng, is_held
        numbers = np.arange(1, int(rng.integers(2, 14)) + 1)
        self.overtones = numbers ** -rng.uniform(0.6, 2.2) * rng.uniform(0.3, 1, len(numbers))
        if rng.uniform() < 0.25:
            self.overtones = self.overtones * (numbers % 2)  # reeds and squares
        self.stretch = 0.0 if is_held else float(rng.choice((0, 3e-4, 8e-4)))
        self.attack_s, self.decay_s = rng.uniform(0.002, 0.1 if is_held else 0.012), rng.uniform(0.12, 1.5)
        self.vibrato = float(rng.choice((0, 0, 0.003, 0.008))) if is_held else 0.0
        self.vibrato_hz, self.slide = rng.uniform(4, 7), rng.uniform(0, 0.5) if rng.uniform() < 0.2 else 0.0
        self.breath = rng.uniform(0, 0.08) if rng.uniform() < 0.3 else 0.0
        self._played: dict[tuple[float, float], Wave] = {}

    def note(self, hz: float, length_s: float) -> Wave:
        """Every time a little different in loudness."""
        if (hz, length_s) not in self._played:
            self._played[hz, length_s] = self._note(hz, length_s)
        return self._played[hz, length_s] * self.rng.uniform(0.7, 1)

    def _note(self, hz: float, length_s: float) -> Wave:
        ringing_s = length_s * 0.97 if self.is_held else min(max(length_s, 2.5 * self.decay_s), 2.0)
        size = max(64, int(ringing_s * RATE_HZ))
        at = np.arange(size) / RATE_HZ
        bend = self.vibrato * np.sin(2 * np.pi * self.vibrato_hz * at) - self.slide / 12 * np.exp(-at / 0.04)
        wave = tone(hz * 2**bend, self.overtones, stretch=self.stretch)
        if self.breath:
            wave += self.breath * self.rng.standard_normal(size)
        if self.is_held:
            return wave * held(size, edge_s=self.attack_s)
        return wave * swell(size, attack_s=self.attack_s, decay_s=self.decay_s)


def _drums(rng: np.random.Generator, part: str, piece: Piece) -> Wave:
    """A pattern of sixteenths that returns every bar."""
    num_samples, beat_s = piece[:2]
    kit = {name: drum(rng, name) for name in rng.choice(DRUMS, int(rng.integers(1, 5)), replace=False)}
    pieces = []
    for sound in kit.values():
        pattern = rng.uniform(size=16) < rng.uniform(0.12, 0.6) * np.tile((1.6, 0.5, 0.9, 0.5), 4)
        pattern[int(rng.integers(4)) * 4] = True
        for number in range(int(num_samples / RATE_HZ / beat_s * 4) + 1):
            if pattern[number % 16]:
                pieces.append((int(number * beat_s / 4 * RATE_HZ), sound * rng.uniform(0.6, 1)))
    return laid(pieces, num_samples)


def drum(rng: np.random.Generator, name: str) -> Wave:
    """One blow."""
    size = int({"cymbal": 0.9, "hat": 0.12, "kick": 0.35}.get(name, 0.3) * RATE_HZ)
    at = np.arange(size) / RATE_HZ
    noise = coloured(rng, size, slope=0, low_hz={"hat": 5000, "cymbal": 3000}.get(name, 600), high_hz=8000)
    if name in ("hat", "cymbal"):
        return noise * np.exp(-at / rng.uniform(0.015, 0.06) / (6 if name == "cymbal" else 1))
    base = {"kick": 50, "tom": 110, "bongo": 260, "snare": 180}[name] * rng.uniform(0.8, 1.3)
    body = np.sin(2 * np.pi * np.cumsum(base * (1 + 1.5 * np.exp(-at / 0.02))) / RATE_HZ)
    wave = body * np.exp(-at / rng.uniform(0.05, 0.14))
    return 2 * wave + (noise * np.exp(-at / 0.06) if name == "snare" else 0.1 * noise * np.exp(-at / 0.005))
