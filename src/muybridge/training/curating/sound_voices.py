"""Speech to learn from: syllables that mean nothing, said by a CC0 voice of Piper, and by a synthesiser of formants."""

import json

import numpy as np
from jaxtyping import Float

from muybridge.core.seeding import mix
from muybridge.curation.people.sessions import opened
from muybridge.training.curating.sound_shapes import FRAME, RATE_HZ, Wave, drift, shaped, tone, unit
from muybridge.weights.assets import ensure

VOICE = "voice-joe"
STARTS = (
    "", "", "b", "d", "f", "ɡ", "h", "j", "k", "l", "m", "n", "p", "ɹ", "s", "t", "v", "w", "z", "ð", "θ", "ʃ",
    "bl", "bɹ", "dɹ", "fl", "ɡɹ", "kl", "pl", "sk", "st", "stɹ", "tɹ",
)  # fmt: skip
MIDDLES = ("a", "æ", "ɑː", "ɐ", "ɛ", "ɪ", "iː", "ɔː", "ʊ", "uː", "ʌ", "ə", "aɪ", "aʊ", "eɪ", "oʊ", "ɔɪ", "ɜː")
ENDS = ("", "", "", "d", "k", "l", "m", "n", "ŋ", "p", "ɹ", "s", "t", "v", "z", "nd", "nt", "st", "ks")
# First three formants in Hz of vowels from i by a to u, of a grown man.   Peterson and Barney 1952.
FORMANTS = np.array(
    [(270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440), (570, 840, 2410),
     (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690)],
)  # fmt: skip


def sentences(count: int, *, seed: int) -> list[Wave]:
    """Said by Piper, 16 kHz, a few seconds each, without its random noise, so that they repeat.

    Raises AssetError, MissingExtra.
    """
    folder = ensure(VOICE)
    numbers = json.loads((folder / "voice.json").read_text())["phoneme_id_map"]
    session = opened(folder / "voice.onnx")
    waves = []
    for number in range(count):
        rng = np.random.default_rng(mix(seed, number, "sentence"))
        ids = _ids(_words(rng), numbers)
        scales = np.array([0, rng.uniform(0.8, 1.3), 0], np.float32)
        said = session.run(None, {"input": ids[None], "input_lengths": np.array([len(ids)]), "scales": scales})[0]
        waves.append(resampled(np.asarray(said).ravel(), 22_050 / RATE_HZ).astype(np.float32))
    return waves


def resampled(wave: Wave, factor: float) -> Float[np.ndarray, " m"]:
    """Played `factor` times as fast, linearly between samples: another's pitch and throat."""
    return np.interp(np.arange(0, len(wave) - 1, factor), np.arange(len(wave)), wave)


def formant_speech(rng: np.random.Generator, num_samples: int) -> Wave:
    """Syllables of a throat of any size: pulses or hiss through formants that glide from one vowel to the next."""
    count = num_samples // FRAME + 2
    voicing, hiss, vowels, loud = (np.zeros(count), np.zeros(count), np.zeros((count, 3)), np.zeros(count))
    at, vowel = 0, FORMANTS[int(rng.integers(len(FORMANTS)))]
    per_s = RATE_HZ / FRAME
    while at < count:
        if rng.uniform() < 0.15:
            at += int(rng.uniform(0.1, 0.5) * per_s)  # a breath
        consonant, length = int(rng.uniform(0.03, 0.14) * per_s), int(rng.uniform(0.08, 0.26) * per_s)
        aim, kind = FORMANTS[int(rng.integers(len(FORMANTS)))], int(rng.integers(4))
        span, body = slice(at, at + consonant), slice(at + consonant, at + consonant + length)
        hiss[span], loud[span] = (1.0, 0.0, 0.6, 0.0)[kind], (0.35, 0.02, 0.3, 0.4)[kind] * rng.uniform(0.4, 1)
        voicing[span] = (0.0, 0.0, 0.5, 1.0)[kind]
        size = len(voicing[body])
        voicing[body], loud[body] = 1.0, rng.uniform(0.5, 1) * np.sin(np.linspace(0.4, 2.7, size))
        vowels[at : body.stop] = vowel + np.linspace(0, 1, len(vowels[at : body.stop]))[:, None] * (aim - vowel)
        at, vowel = body.stop, aim
    return _through_throat(rng, (voicing, hiss, vowels, loud), num_samples)


def _through_throat(rng: np.random.Generator, course: tuple[np.ndarray, ...], num_samples: int) -> Wave:
    voicing, hiss, vowels, loud = course
    scale, hz = rng.uniform(0.9, 1.35), np.fft.rfftfreq(2 * FRAME, 1 / RATE_HZ)
    base = 105 * scale ** rng.uniform(1.5, 3.5)
    pitch = base * 2 ** (0.22 * drift(rng, num_samples, per_s=2.5) + 0.015 * drift(rng, num_samples, per_s=30))
    pulses = tone(pitch, 1 / np.arange(1, 41) ** rng.uniform(0.9, 1.5))
    noise = rng.standard_normal(num_samples)
    widths = np.array((70, 110, 170)) * scale
    peaks = 1 / (1 + ((hz[None, :, None] - scale * vowels[:, None]) / widths) ** 2)
    gains = (peaks * np.array((1, 0.5, 0.25))).sum(2) + 0.004
    edge = rng.uniform(2500, 5000)
    bright = (1 / (1 + np.exp(-(hz - edge) / 400)))[None] * 0.6 + 0.02
    soft = np.convolve(loud, (0.25, 0.5, 0.25), "same")[:, None]
    voiced = shaped(pulses, gains * voicing[:, None] * soft)
    return unit(voiced / max(voiced.std(), 1e-6) + 0.35 * shaped(noise, bright * hiss[:, None] * soft))


def _words(rng: np.random.Generator) -> str:
    words = []
    for _ in range(int(rng.integers(4, 11))):
        syllables = [
            str(rng.choice(STARTS)) + ("ˈ" if number == 0 else "") + str(rng.choice(MIDDLES)) + str(rng.choice(ENDS))
            for number in range(int(rng.choice((1, 1, 2, 2, 3))))
        ]
        words.append("".join(syllables) + str(rng.choice(("", "", "", "", ","))))
    return " ".join(words) + str(rng.choice((".", ".", "?", "!")))


def _ids(text: str, numbers: dict[str, list[int]]) -> np.ndarray:
    """As Piper wants them: a start, every sound followed by a blank, an end."""
    ids = [*numbers["^"], *numbers["_"]]
    for sound in text:
        ids += [*numbers[sound], *numbers["_"]]
    return np.array([*ids, *numbers["$"]], np.int64)
