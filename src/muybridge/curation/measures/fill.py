"""Where the sides of a film are filled with a blurred enlargement of its own middle, as phone films often are.

Two straight seams as far from the middle as each other, next to nothing sharp outside them, and outside the very
colours that the enlarged middle would show there.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from muybridge.curation.clip import Box
from muybridge.curation.measures.looks import Grey
from muybridge.curation.opencv import opencv

MAX_SHARPNESS = 0.3  # of the fill's fine changes, as a share of the picture's (measured: 0.02 to 0.15)
MIN_SEAM = 2.0  # of the change across a seam, as a multiple of the middle change between columns within the picture
MIN_LIKENESS = 0.5  # correlation with the enlarged middle (measured: 0.75 to 0.98 of fills, -0.3 to 0.3 of others)
MIN_SHARE, MAX_SHARE = 0.06, 0.42  # of the width, that a fill takes on one side
THUMB_PX = 16
_SEAM_PX = 2


def filled(pictures: Sequence[Grey]) -> Box:
    """The part inside the fill at both sides, or above and below; the whole picture where there is none."""
    height, width = pictures[0].shape
    stacked = np.stack(pictures)
    beside = _inset(stacked)
    if beside:
        return beside, 0, width - beside, height
    above = _inset(stacked.transpose(0, 2, 1))
    return (0, above, width, height - above) if above else (0, 0, width, height)


def _inset(pictures: np.ndarray) -> int:
    """How many columns of each side are fill."""
    width = pictures.shape[2]
    levels = pictures.astype(np.float32)
    sharp, change = _profiles(levels)
    half = width // 2
    first, last = max(2, int(MIN_SHARE * width)), int(MAX_SHARE * width)
    if last <= first:
        return 0
    seams = np.minimum(change[:half], change[::-1][:half])  # of the column at `n` and its mirror
    best = first + int(np.argmax(seams[first:last]))
    inside = slice(best + _SEAM_PX, width - best - _SEAM_PX)
    outside = np.concatenate([sharp[: best - _SEAM_PX], sharp[width - best + _SEAM_PX :]])
    if seams[best] < MIN_SEAM * np.median(change[inside]) or not len(outside):
        return 0
    if outside.mean() > MAX_SHARPNESS * sharp[inside].mean() or _likeness(levels, best) < MIN_LIKENESS:
        return 0
    return best


def _profiles(levels: np.ndarray) -> tuple[Float32[np.ndarray, " w"], Float32[np.ndarray, " w"]]:
    """Of each column how much it changes from row to row in a fine way, and how much it differs from the one before,
    counted from the left in the left half and from the right in the right one.
    """
    sharp = np.abs(levels[:, 2:] - 2 * levels[:, 1:-1] + levels[:, :-2]).mean(1).mean(0)
    step = np.abs(np.diff(levels, axis=2)).mean(1).mean(0)
    half = levels.shape[2] // 2
    left = np.concatenate([[0.0], step])[:half]
    right = np.concatenate([step, [0.0]])[half:]
    return sharp, np.concatenate([left, right]).astype(np.float32)


def _likeness(levels: np.ndarray, inset: int) -> float:
    """Correlation of the coarse sides with what the middle, enlarged to the whole width, would show there."""
    cv2 = opencv()
    height, width = levels.shape[1:]
    found, expected = [], []
    for picture in levels:
        middle = picture[:, inset : width - inset]
        wide = cv2.resize(middle, (width, round(height * width / middle.shape[1])), interpolation=cv2.INTER_AREA)
        top = (wide.shape[0] - height) // 2
        whole = wide[top : top + height]
        for part in (slice(0, inset), slice(width - inset, width)):
            for picked, into in ((picture, found), (whole, expected)):
                thumb = cv2.resize(np.ascontiguousarray(picked[:, part]), (4, THUMB_PX), interpolation=cv2.INTER_AREA)
                into.append(thumb.ravel())
    first, second = np.concatenate(found), np.concatenate(expected)
    if first.std() < 1 or second.std() < 1:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
