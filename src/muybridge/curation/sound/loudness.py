"""How loud the moments of a sound are, and how much of it is silence."""

import numpy as np
from jaxtyping import Float

from muybridge.media.sound import Sound

MOMENT_S = 0.05
ABSOLUTE_DB = -50.0  # of full scale; room tone of a quiet recording lies below, soft speech above (judged)
RELATIVE_DB = -45.0  # of the loud moments: rests in loud music are silence, too
LOUD_PERCENT = 95
FAINTEST_DB = -120.0


def levels(sound: Sound) -> Float[np.ndarray, " n"]:
    """The level of each moment of `MOMENT_S`, in dB of full scale by mean squares, without its constant part.

    Of the channels the loudest counts, so that a voice on one side is none the fainter.
    """
    length = max(1, round(MOMENT_S * sound.rate_hz))
    num_moments = sound.samples.shape[1] // length
    if num_moments == 0:
        return np.zeros(0)
    moments = sound.samples[:, : num_moments * length].reshape(len(sound.samples), num_moments, length)
    power = moments.var(2, dtype=np.float64).max(0)
    return 10 * np.log10(np.maximum(power, 10 ** (FAINTEST_DB / 10)))


def are_silent(levels_db: Float[np.ndarray, " n"]) -> np.ndarray:
    """Which moments are silence, bool (n,): faint as such, or faint beside the loud ones."""
    if not len(levels_db):
        return np.zeros(0, bool)
    loud_db = float(np.percentile(levels_db, LOUD_PERCENT))
    return levels_db < max(ABSOLUTE_DB, loud_db + RELATIVE_DB)
