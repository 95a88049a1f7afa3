"""What damage leaves in a picture, as numbers: one function for each kind of trace.

All are means, quantiles or logarithms of means, so that pictures of different sizes compare. The moments that BRISQUE
and NIQE read are left out: a network learned from them what pictures show (held-out ladders 0.85 with, 0.89 without).
"""

import numpy as np
from jaxtyping import Float

from muybridge.curation.measures.looks import Grey, grey
from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture

LOOK_PX = 192  # side of the middle that is looked at, at the picture's own scale
LAGS = (1, 2, 3, 4, 8)
PERIODS_PX = (4, 8, 16)  # of the blocks of codecs
SHARES = (1, 5, 25, 50, 75, 95, 99)
FAINTEST = 0.02  # levels: what is smaller counts as this
CLIPPED = 3  # levels from either end
GHOST_PX = (3, 14)  # how far beside itself a picture is looked for
EDGES = (95, 99)  # percentiles of change: what is sharpest in a picture tells a blur from a soft subject
BANDS = (1 / 16, 1 / 8, 1 / 4, 3 / 8, 7 / 16, 1 / 2)  # cycles a pixel
FIELD_PX = 14  # how far the second field of an interlaced picture is looked for
QUIET = (10, 50)  # percentiles of the blocks by what bends in them: noise is in the quietest
NUM_TRACES = 67
MIN_SIDE_PX = 32


def traces(picture: Picture) -> Float[np.ndarray, "67"]:
    """All traces of a picture of at least 32 px."""
    middle = _middle(picture)
    luma = grey(middle)
    values = [*_changes(luma), *_local(luma), *_blocks(luma), *_levels(middle, luma)]
    values += [*_ghosts(luma), *_colours(middle), *_edges(luma), *_bands(luma), *_grain(luma)]
    values += [*_fields(luma), *_echoes(luma)]
    return np.array(values)


def _middle(picture: Picture) -> Picture:
    height, width = (min(LOOK_PX, side) for side in picture.shape[:2])
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return np.ascontiguousarray(picture[top : top + height, left : left + width])


def _log(value: Float[np.ndarray, "*n"] | float) -> np.ndarray:
    return np.log(np.maximum(value, FAINTEST))


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


def _edges(luma: Grey) -> list[float]:
    """How steep the steepest places are within one, two and four pixels, of what they rise by within eight."""
    levels = luma.astype(np.float32)
    values = []
    for picture in (levels, levels.T):
        whole = np.percentile(np.abs(picture[:, 8:] - picture[:, :-8]), EDGES)
        parts = [np.percentile(np.abs(picture[:, lag:] - picture[:, :-lag]), EDGES) for lag in (1, 2)]
        values += [_log(part) - _log(whole) for part in parts]
    return [float(value) for value in np.concatenate(values)]


def _bands(luma: Grey) -> list[float]:
    """Power along and down in bands of frequency; the falls between them, and how they differ by direction."""
    falls = []
    for picture in (luma, luma.T):
        rows = picture.astype(np.float32) - picture.mean()
        power = (np.abs(np.fft.rfft(rows * np.hanning(rows.shape[1]).astype(np.float32))) ** 2).mean(0) / rows.shape[1]
        edges = np.rint(np.array(BANDS) * rows.shape[1]).astype(int)
        means = [power[first : max(last, first + 1)].mean() for first, last in zip(edges[:-1], edges[1:], strict=True)]
        falls.append(np.diff(_log(np.array(means))))
    return [float(value) for value in np.concatenate(falls)]


def _grain(luma: Grey) -> list[float]:
    """What bends along and down at once, which edges hardly do, in the quietest blocks of 8 px (Immerkaer 1996)."""
    cross = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    bends = np.abs(opencv().filter2D(luma.astype(np.float32), -1, cross))
    blocks = opencv().resize(bends, (luma.shape[1] // 8, luma.shape[0] // 8), interpolation=opencv().INTER_AREA)
    return [float(value) for value in _log(np.percentile(blocks, QUIET))]


def _fields(luma: Grey) -> list[float]:
    """How far the odd lines stand beside the even ones, where they fit best, and how much better they fit there."""
    lines = luma[: luma.shape[0] - 1 - luma.shape[0] % 2].astype(np.float32)
    odd, even = lines[1::2], (lines[:-1:2] + lines[2::2]) / 2
    inner = odd[:, FIELD_PX:-FIELD_PX]
    starts = range(2 * FIELD_PX)  # from FIELD_PX to the left to nearly as much to the right
    apart = [np.abs(inner - even[:, start : start + inner.shape[1]]).mean() for start in starts]
    best = int(np.argmin(apart))
    return [np.log1p(abs(best - FIELD_PX)), float(_log(apart[FIELD_PX]) - _log(apart[best]))]


def _echoes(luma: Grey) -> list[float]:
    """The strongest peak of the cepstrum near its middle over its surroundings (Bogert 1963): a second picture.

    Repeating texture makes hills of it, a ghost a needle, so each place is held against the places round it.
    """
    cv2 = opencv()
    levels = luma.astype(np.float32) - luma.mean()
    window = np.hanning(luma.shape[0])[:, None] * np.hanning(luma.shape[1])
    power = np.abs(np.fft.rfft2(levels * window)) ** 2
    cepstrum = np.fft.fftshift(np.fft.irfft2(np.log(power + np.median(power) * 0.1 + 1), s=luma.shape))
    needles = (cepstrum - cv2.blur(cepstrum, (5, 5)))[_ring(luma.shape)]
    spread = max(float(needles.std()), 1e-6)
    return [float(np.clip(needles.max() / spread, 0, 30)), float(_log(1000 * needles.max()))]
