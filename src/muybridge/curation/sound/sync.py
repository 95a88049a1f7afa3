"""Whether what starts in the sound starts when something happens in the picture.

Onsets of the sound and changes of the picture are correlated over a second's lags. Where they belong together the
likeness near lag 0 stands out from that at other lags. It needs events to go by: blows, steps, a drummer. A talking
head, weather or background music has none that the whole picture's change shows, and then the value says nothing: it
lies about a half.
"""

import numpy as np
from jaxtyping import Float

from muybridge.curation.sound.spectrum import MOMENTS_PER_S, onsets
from muybridge.media.frames import Frames

NEAR_S = 0.12  # lag that counts as together: three frames at 25 a second, more than viewers accept
FAR_S = (0.25, 1.2)  # lags that serve for comparison
EVEN = 2.0  # deviations above the other lags that are even odds: what the best of some near lags has by chance
MIN_S = 2.0
LOOK_PX = 64  # short side at which the picture is looked at
SMOOTH = np.hanning(7)[1:-1] / np.hanning(7).sum()  # over 78 ms: a frame's time is known no better


def sync(frames: Frames, fps: float, found: Float[np.ndarray, "t 256"]) -> float | None:
    """0 to 1; None for less than `MIN_S`, or without any onset or any change."""
    heard = onsets(found)
    seen = _at_moments(changes(frames), fps, len(heard))
    size = min(len(heard), len(seen))
    if size < MIN_S * MOMENTS_PER_S:
        return None
    first, second = _normal(heard[:size]), _normal(seen[:size])
    if first is None or second is None:
        return None
    likeness = _correlation(first, second, round(FAR_S[1] * MOMENTS_PER_S))
    lags = np.abs(np.arange(len(likeness)) - len(likeness) // 2) / MOMENTS_PER_S
    near, far = likeness[lags <= NEAR_S], likeness[(lags >= FAR_S[0]) & (lags <= FAR_S[1])]
    apart = (near.max() - far.mean()) / max(float(far.std()), 0.02)
    return float(1 / (1 + np.exp(EVEN - apart)))


def changes(frames: Frames) -> Float[np.ndarray, " t"]:
    """How much the course of the picture changes at each frame, 0 to 255: what turns back, stops or starts.

    What goes on evenly changes as much over two frames as over both single ones together, and counts nothing.
    """
    if len(frames) < 3:
        return np.zeros(len(frames))
    step = max(1, min(frames.shape[1:3]) // LOOK_PX)
    small = frames[:, ::step, ::step, 1].astype(np.float32)
    steps = np.abs(np.diff(small, axis=0))
    speed = steps.mean((1, 2))
    back = speed[1:] + speed[:-1] - np.abs(small[2:] - small[:-2]).mean((1, 2))
    turn = back + np.abs(np.diff(speed))
    return np.concatenate([[turn[0]], turn, [turn[-1]]])


def _at_moments(values: Float[np.ndarray, " t"], fps: float, num_moments: int) -> Float[np.ndarray, " n"]:
    """A frame's values at the moments of the sound, as long as there are frames."""
    count = min(num_moments, int(len(values) / fps * MOMENTS_PER_S))
    at = np.minimum((np.arange(count) + 0.5) / MOMENTS_PER_S * fps, len(values) - 1)
    return np.interp(at, np.arange(len(values)), values)


def _normal(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"] | None:
    """Smoothed, against what is usual around it, of mean 0 and size 1; None where nothing happens."""
    smooth = np.convolve(values, SMOOTH, "same")
    wide = np.hanning(MOMENTS_PER_S)
    usual = np.convolve(smooth, wide, "same") / np.convolve(np.ones(len(values)), wide, "same")
    rise = np.sqrt(np.maximum(smooth - usual, 0))
    rise = rise - rise.mean()
    size = float(np.linalg.norm(rise))
    return rise / size if size > 1e-6 else None


def _correlation(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " n"], reach: int
) -> Float[np.ndarray, " lags"]:
    """Of two courses at every lag from -reach to reach moments."""
    whole = np.correlate(first, second, "full")
    middle = len(first) - 1
    return whole[middle - reach : middle + reach + 1]
