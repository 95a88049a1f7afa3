"""What damage leaves in a picture, as numbers: one function for each kind of trace.

All are means, quantiles or logarithms of means, so that pictures of different sizes compare.
"""

import numpy as np
from jaxtyping import Float

from muybridge.curation.measures.looks import Grey, grey
from muybridge.curation.measures.natural import brisque_features, texture
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture

LOOK_PX = 192  # side of the middle that is looked at, at the picture's own scale
LAGS = (1, 2, 3, 4, 8)
PERIODS_PX = (4, 8, 16)  # of the blocks of codecs
SHARES = (1, 5, 25, 50, 75, 95, 99)
FAINTEST = 0.02  # levels: what is smaller counts as this
CLIPPED = 3  # levels from either end
GHOST_PX = (3, 14)  # how far beside itself a picture is looked for
NUM_TRACES = 81
MIN_SIDE_PX = 32


def traces(picture: Picture) -> Float[np.ndarray, "81"]:
    """All traces of a picture of at least 32 px."""
    middle = _middle(picture)
    luma = grey(middle)
    values = [*_natural(luma), *_changes(luma), *_local(luma), *_blocks(luma), *_levels(middle, luma)]
    values += [*_ghosts(luma), *_colours(middle)]
    return np.array(values)


def _middle(picture: Picture) -> Picture:
    height, width = (min(LOOK_PX, side) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def _log(value: Float[np.ndarray, "*n"] | float) -> np.ndarray:
    return np.log(np.maximum(value, FAINTEST))


def _natural(luma: Grey) -> Float[np.ndarray, "36"]:
    """BRISQUE's features."""
    found = texture(luma, patch_px=None)
    assert found is not None
    return brisque_features(found)


def _changes(luma: Grey) -> list[float]:
    """How much pixels differ at several distances, along and down, and how much from both neighbours' mean."""
    levels = luma.astype(np.float32)
    along = [np.abs(levels[:, lag:] - levels[:, :-lag]).mean() for lag in LAGS]
    down = [np.abs(levels[lag:] - levels[:-lag]).mean() for lag in LAGS]
    bends = [np.abs(each[2:] - 2 * each[1:-1] + each[:-2]).mean() for each in (levels, levels.T)]
    return [float(_log(value)) for value in (*along, *down, *bends)]


def _local(luma: Grey) -> list[float]:
    """Quantiles of the local deviation: noise is where nothing else is."""
    cv2 = opencv()
    levels = luma.astype(np.float32)
    mean, square = (cv2.boxFilter(each, -1, (5, 5)) for each in (levels, levels * levels))
    deviation = np.sqrt(np.maximum(square - mean * mean, 0))[::2, ::2]
    return [float(_log(value)) for value in np.percentile(deviation, (5, 25, 50, 75, 95))]


def _blocks(luma: Grey) -> list[float]:
    """How much more neighbours differ at the strongest of every 4, 8 and 16 lines; how often they do not at all."""
    values = []
    for picture in (luma, luma.T):
        change = np.abs(np.diff(picture.astype(np.int16), axis=1))
        profile = change.mean(0) + FAINTEST
        values += [float(np.log(_strongest(profile, period) / profile.mean())) for period in PERIODS_PX]
        values.append(float((change == 0).mean()))
    return values


def _strongest(profile: Float[np.ndarray, " n"], period: int) -> float:
    length = len(profile) - len(profile) % period
    return float(profile[:length].reshape(-1, period).mean(0).max())


def _levels(picture: Picture, luma: Grey) -> list[float]:
    """Light and dark: quantiles, what is clipped, and how gappy the histogram is between its ends."""
    shares = np.percentile(luma, SHARES) / 255
    clipped = [(luma >= 255 - CLIPPED).mean(), (luma <= CLIPPED).mean(), (picture >= 255 - CLIPPED).mean()]
    counts = np.bincount(picture[..., 1].ravel(), minlength=256) / luma.size
    low, high = np.percentile(picture[..., 1], (1, 99)).astype(int)
    inner = counts[low : high + 1]
    gaps = (inner < 1e-5).mean()
    rough = np.abs(np.diff(inner)).sum() / max(2 * inner.sum(), 1e-9)
    return [float(value) for value in (*shares, *clipped, luma.std() / 64, gaps, rough)]


def _ghosts(luma: Grey) -> list[float]:
    """Likeness of the edges to themselves some pixels away: the two likeliest directions, and the usual."""
    bends = opencv().Laplacian(luma, opencv().CV_32F)
    bends = np.clip(bends, -40, 40)
    spectrum = np.abs(np.fft.rfft2(bends)) ** 2
    softened = spectrum / np.maximum(np.sqrt(spectrum) + np.sqrt(spectrum.mean()), 1e-6)
    likeness = np.fft.irfft2(softened, s=bends.shape)
    likeness = np.fft.fftshift(likeness) / max(float(likeness[0, 0]), 1e-6)
    ring = likeness[_ring(luma.shape)]
    return [float(np.clip(value, -1, 1)) for value in (ring.max(), np.percentile(ring, 99), ring.std())]


def _ring(shape: tuple[int, ...]) -> np.ndarray:
    rows, columns = (np.arange(side) - side // 2 for side in shape)
    reach = np.hypot(rows[:, None], columns[None])
    return (reach >= GHOST_PX[0]) & (reach <= GHOST_PX[1])


def _colours(picture: Picture) -> list[float]:
    """How much both colour differences change from pixel to pixel, and over four, along and down."""
    cv2 = opencv()
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb))[1:]
    values = [cv2.mean(cv2.absdiff(plane[:, lag:], plane[:, :-lag]))[0] for lag in (1, 4) for plane in planes]
    return [float(value) for value in _log(np.array(values))]
