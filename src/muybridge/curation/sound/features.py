"""What tells speech, music and effects apart in a second of sound, as numbers, whatever its level.

Speech has syllables, gliding pitch and pauses; music has tones that stay on one pitch and return, and beats; effects
are noise, single blows, or tones that do neither.
"""

import numpy as np
from jaxtyping import Float

from muybridge.curation.sound.spectrum import BIN_HZ, MOMENTS_PER_S, NUM_BINS, bands, onsets

WINDOW = MOMENTS_PER_S  # moments: one second
HOP = MOMENTS_PER_S // 2
NUM_BANDS = 20
SYLLABLES = ((1, 2), (3, 5), (6, 9), (10, 15), (16, 31))  # Hz in the loudness of a second; speech has most at 3 to 5
PITCH_HZ = (70, 450)
VOICED = 0.45  # of the likeness to itself a period later
LAGS = (2, 6, 16)  # moments over which tones may stay: 31, 94 and 250 ms
CHROMA_HZ = (200, 4000)
CONTEXT = 2  # windows to each side, half a second apart
NUM_OWN = 2 * NUM_BANDS + 3 * len(SYLLABLES) + 28
NUM_FEATURES = 3 * NUM_OWN
UNIT_POWER = 3.0  # of a moment's bins together in sound of mean square 1, as which every sound is looked at
FAINT_DB = 60.0  # below its loudest band, within which a second is looked at


def features(found: Float[np.ndarray, "t 256"]) -> Float[np.ndarray, "n 249"]:
    """Of every second, half a second apart, `NUM_OWN` values: its own, and mean and spread of those around it.

    A sound below a second is repeated until it is one.
    """
    level = max(float(found.sum(1).mean()), 1e-20)
    own = _own(_windows(found * np.float32(UNIT_POWER / level)))
    around = np.pad(own, ((CONTEXT, CONTEXT), (0, 0)), mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(around, 2 * CONTEXT + 1, axis=0)
    return np.concatenate([own, near.mean(2), near.std(2)], axis=1)


def window_starts(num_moments: int) -> list[int]:
    """The first moment of every window."""
    return list(range(0, max(num_moments - WINDOW, 0) + 1, HOP))


def _windows(found: Float[np.ndarray, "t 256"]) -> Float[np.ndarray, "n 64 256"]:
    if len(found) < WINDOW:
        found = np.pad(found, ((0, WINDOW - len(found)), (0, 0)), mode="wrap")
    return np.stack([found[start : start + WINDOW] for start in window_starts(len(found))])


def _own(windows: Float[np.ndarray, "n 64 256"]) -> Float[np.ndarray, "n k"]:
    summed = windows @ bands(NUM_BANDS)
    floor = np.maximum(summed.max((1, 2), keepdims=True) * 10 ** (-FAINT_DB / 10), 1e-12)
    loud = np.log10(summed + floor)
    fine = np.log10(windows + floor)
    parts = [_timbre(loud), _rhythm(loud), _shape(windows, loud), _voice(windows), _tones(fine), _chroma(windows)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _timbre(loud: Float[np.ndarray, "n 64 k"]) -> Float[np.ndarray, "n 40"]:
    level = loud.mean((1, 2), keepdims=True)
    return np.concatenate([(loud - level).mean(1), loud.std(1)], axis=1)


def _rhythm(loud: Float[np.ndarray, "n 64 k"]) -> Float[np.ndarray, "n 15"]:
    """How loudness changes at each of `SYLLABLES`, in three parts of the spectrum."""
    thirds = np.stack([part.mean(2) for part in np.array_split(loud, 3, axis=2)], axis=2)
    spectrum = np.abs(np.fft.rfft((thirds - thirds.mean(1, keepdims=True)) * np.hanning(WINDOW)[:, None], axis=1))
    strengths = [spectrum[:, low : high + 1].mean(1) for low, high in SYLLABLES]
    return np.log10(np.concatenate(strengths, axis=1) + 0.1)


def _shape(windows: Float[np.ndarray, "n 64 256"], loud: Float[np.ndarray, "n 64 k"]) -> Float[np.ndarray, "n 10"]:
    """Pauses, flatness, where the middle of the spectrum lies, and what starts."""
    total = windows.sum(2) + 1e-12
    quiet = (total < 0.1 * total.mean(1, keepdims=True)).mean(1)
    level = np.log10(total)
    flat = np.log10(windows + 1e-12).mean(2) - np.log10(windows.mean(2) + 1e-12)
    middle = np.log2(((np.arange(NUM_BINS) + 1) * BIN_HZ * windows).sum(2) / total + 30)
    begin = np.stack([onsets(window) for window in windows])
    peak = begin.max(1) / (begin.mean(1) + 1e-3)
    change = np.abs(np.diff(loud, axis=1)).mean((1, 2))
    return np.stack([
        quiet, np.clip(level.std(1), 0, 4), flat.mean(1), flat.std(1), middle.mean(1), middle.std(1),
        np.log10(begin.mean(1) + 1e-3), np.log10(np.maximum(peak, 1)), change,
        (np.diff(middle, axis=1) ** 2).mean(1) ** 0.5,
    ], axis=1)  # fmt: skip


def _voice(windows: Float[np.ndarray, "n 64 256"]) -> Float[np.ndarray, "n 8"]:
    """How harmonic moments are, and how their pitch goes: it glides in speech and stays in music."""
    root = np.pad(windows**0.33, ((0, 0), (0, 0), (1, 0)))
    likeness = np.fft.irfft(root, axis=2)
    rate_hz = 2 * NUM_BINS * BIN_HZ
    first, last = round(rate_hz / PITCH_HZ[1]), round(rate_hz / PITCH_HZ[0])
    inside = likeness[:, :, first : last + 1]
    lag = inside.argmax(2)
    strength = np.take_along_axis(inside, lag[..., None], 2)[..., 0] / np.maximum(likeness[:, :, 0], 1e-9)
    pitch = np.log2(rate_hz / (first + lag))
    voiced = strength > VOICED
    both = voiced[:, 1:] & voiced[:, :-1]
    step = np.abs(np.diff(pitch, axis=1))
    count = np.maximum(both.sum(1), 1)
    stays, glides = ((step < 0.02) & both).sum(1) / count, ((step >= 0.02) & (step < 0.15) & both).sum(1) / count
    many = np.maximum(voiced.sum(1), 1)
    mean = (pitch * voiced).sum(1) / many
    spread = np.sqrt((((pitch - mean[:, None]) * voiced) ** 2).sum(1) / many)
    return np.stack(
        [strength.mean(1), strength.std(1), voiced.mean(1), both.mean(1), stays, glides, mean / 8, spread], axis=1
    )


def _tones(fine: Float[np.ndarray, "n 64 256"]) -> Float[np.ndarray, "n 6"]:
    """How much peaks of the spectrum stay where they are, below and above 2 kHz."""
    near = np.cumsum(np.pad(fine, ((0, 0), (0, 0), (5, 4)), mode="edge"), axis=2)
    peaks = np.maximum(fine[:, :, :-1] - (near[:, :, 9:] - near[:, :, :-9])[:, :, : NUM_BINS - 1] / 9, 0)
    values = []
    for part in (peaks[:, :, :64], peaks[:, :, 64:]):
        size = np.sqrt((part**2).sum(2)) + 0.3
        values += [((part[:, lag:] * part[:, :-lag]).sum(2) / (size[:, lag:] * size[:, :-lag])).mean(1) for lag in LAGS]
    return np.stack(values, axis=1)


def _chroma(windows: Float[np.ndarray, "n 64 256"]) -> Float[np.ndarray, "n 4"]:
    """How few of the twelve notes sound, in quarters of the second and in all of it, and how alike the quarters are."""
    low, high = (round(edge / BIN_HZ) for edge in CHROMA_HZ)
    bins = np.arange(low, high)
    notes = np.round(12 * np.log2((bins + 1) * BIN_HZ / 440)).astype(int) % 12
    quarters = windows[:, :, low:high].reshape(len(windows), 4, WINDOW // 4, -1).mean(2) ** 0.5
    sums = quarters @ np.eye(12, dtype=np.float32)[notes] + 1e-6
    share = sums / sums.sum(2, keepdims=True)
    whole = share.mean(1)
    unit = share - share.mean(2, keepdims=True)
    unit = unit / (np.linalg.norm(unit, axis=2, keepdims=True) + 0.02)
    alike = (unit[:, 1:] * unit[:, :-1]).sum(2)
    return np.stack([_order(share).mean(1), _order(whole), alike.mean(1), alike.min(1)], axis=1)


def _order(share: Float[np.ndarray, "*n 12"]) -> Float[np.ndarray, "*n"]:
    """0 where all notes sound alike, 1 where one does."""
    return 1 + (share * np.log(share)).sum(-1) / np.log(12)
