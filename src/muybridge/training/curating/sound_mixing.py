"""Sounds to learn from, put together of speech, music and effects as footage has them, and what is in each second."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from muybridge.curation.sound.features import WINDOW, window_starts
from muybridge.curation.sound.network import CLASSES
from muybridge.curation.sound.spectrum import MOMENTS_PER_S, WINDOW_S
from muybridge.training.curating.sound_effects import effect
from muybridge.training.curating.sound_music import music
from muybridge.training.curating.sound_shapes import RATE_HZ, Wave, coloured, echoed, held, laid, unit
from muybridge.training.curating.sound_voices import formant_speech, resampled

SAMPLES = 3 * RATE_HZ
SHARE_MIXED, SHARE_SHORT = 0.3, 0.25  # of the sounds: of two classes; that begin late or end early
THERE, ABSENT = 0.06, 0.01  # of a second's power, from which on a class is there, below which it is not
FAINT = 3e-4  # of the loudest second's power, below which a second is not learned from


def mixed(rng: np.random.Generator, said: Sequence[Wave]) -> tuple[Wave, Float[np.ndarray, "3 n"]]:
    """A sound, and its part of each class. said: speech to choose from, 16 kHz."""
    parts = np.zeros((len(CLASSES), SAMPLES))
    main, second = rng.permutation(len(CLASSES))[:2]
    parts[main] = _one(rng, CLASSES[main], said)
    if rng.uniform() < SHARE_MIXED:
        parts[second] = _one(rng, CLASSES[second], said) * 10 ** (rng.uniform(-14, 0) / 20)
    hiss = coloured(rng, SAMPLES, slope=rng.uniform(0, 1.5), low_hz=50, high_hz=8000) * 10 ** (
        rng.uniform(-70, -24) / 20
    )
    parts = _heard(np.concatenate([parts, hiss[None]]), rng)
    return parts.sum(0), parts[: len(CLASSES)]


def presence(whole: Wave, parts: Float[np.ndarray, "3 n"]) -> tuple[np.ndarray, np.ndarray]:
    """Of every second of `features` whether each class is there, and 1 where that is plain, 0 where it is not."""
    num_moments = int((len(whole) - WINDOW_S * RATE_HZ) * MOMENTS_PER_S / RATE_HZ) + 1
    moment = RATE_HZ // MOMENTS_PER_S
    spans = [slice(start * moment, (start + WINDOW) * moment) for start in window_starts(num_moments)]
    powers = np.stack([(parts[:, span] ** 2).mean(1) for span in spans])
    total = np.array([(whole[span] ** 2).mean() for span in spans])[:, None]
    share = powers / np.maximum(total, 1e-12)
    is_plain = ((share >= THERE) | (share <= ABSENT)) & (total > FAINT * total.max()) & (share.max(1) > THERE)[:, None]
    return (share >= THERE).astype(np.float16), is_plain.astype(np.float16)


def _one(rng: np.random.Generator, name: str, said: Sequence[Wave]) -> Wave:
    if name == "speech":
        wave = formant_speech(rng, SAMPLES) if rng.uniform() < 0.35 else _talk(rng, said)
    else:
        wave = music(rng, SAMPLES) if name == "music" else effect(rng, SAMPLES)
    if name != "effects" and rng.uniform() < 0.4:
        wave = echoed(wave, rng, decay_s=rng.uniform(0.05, 0.6), share=rng.uniform(0.1, 0.9))
    if rng.uniform() < SHARE_SHORT:
        length = int(rng.uniform(0.3, 0.9) * SAMPLES)
        wave = laid([(int(rng.integers(SAMPLES - length)), wave[:length] * held(length, edge_s=0.02))], SAMPLES)
    return unit(wave)


def _talk(rng: np.random.Generator, said: Sequence[Wave]) -> Wave:
    """Sentences by one who is taller or shorter than the voice."""
    factor, pieces, at = 2 ** rng.uniform(-0.35, 0.75), [], -int(rng.uniform(0, 1.5) * RATE_HZ)
    while at < SAMPLES:
        wave = resampled(said[int(rng.integers(len(said)))], factor)
        pieces.append((max(at, 0), wave[max(0, -at) :]))
        at += len(wave) + int(rng.uniform(0.1, 0.7) * RATE_HZ)
    return laid(pieces, SAMPLES)


def _heard(parts: Float[np.ndarray, "k n"], rng: np.random.Generator) -> Float[np.ndarray, "k n"]:
    """Through a microphone and a codec: tilted, without the lowest and highest tones."""
    hz = np.fft.rfftfreq(parts.shape[1], 1 / RATE_HZ) + 1
    gain = (hz / 1000) ** rng.uniform(-0.4, 0.4) / np.sqrt(1 + (rng.uniform(20, 250) / hz) ** 4)
    if rng.uniform() < 0.5:
        gain = gain / np.sqrt(1 + (hz / rng.uniform(2800, 8000)) ** 16)
    return np.fft.irfft(np.fft.rfft(parts, axis=1) * gain, parts.shape[1], axis=1)
