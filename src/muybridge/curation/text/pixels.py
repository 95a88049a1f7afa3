"""Pictures as text detection needs them: grey, resized, and masks as regions."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from muybridge.curation.opencv import opencv
from muybridge.media.frames import Picture

Grey = UInt8[np.ndarray, "_h _w"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A connected part of a mask."""

    left: int
    top: int
    right: int
    bottom: int
    mask: Bool[np.ndarray, "_h _w"]

    def rectangle(self) -> tuple[float, float, float]:
        """The smallest rectangle round it: its long and its short side in pixels, its slant in degrees from level."""
        ys, xs = np.nonzero(self.mask)
        _, (across, down), angle = opencv().minAreaRect(np.stack([xs, ys], axis=1).astype(np.float32))
        if across < down:
            across, down, angle = down, across, angle - 90
        return float(across) + 1, float(down) + 1, float((angle + 90) % 180 - 90)


def grey(picture: Picture) -> Grey:
    """Its luma."""
    cv2 = opencv()
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def resized(picture: np.ndarray, *, width_px: int, height_px: int) -> np.ndarray:
    """By area where it shrinks, bicubic where it grows."""
    cv2 = opencv()
    is_smaller = width_px < picture.shape[1] or height_px < picture.shape[0]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width_px, height_px), interpolation=method))


def closed(mask: UInt8[np.ndarray, "_h _w"], *, width_px: int, height_px: int) -> UInt8[np.ndarray, "_h _w"]:
    """A mask (0 or 1) whose gaps narrower than the sides are filled."""
    cv2 = opencv()
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((height_px, width_px), np.uint8)))


def opened(picture: Grey, *, side_px: int) -> Grey:
    """A picture without bright parts narrower than `side_px`."""
    cv2 = opencv()
    return np.asarray(cv2.morphologyEx(picture, cv2.MORPH_OPEN, np.ones((side_px, side_px), np.uint8)))


def shifted_match(patch: Grey, window: Grey) -> Float32[np.ndarray, "_y _x"]:
    """The correlation coefficient, -1..1, of a patch with every place of a larger window; 0 where either is flat."""
    cv2 = opencv()
    found = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    return np.where(np.isfinite(found) & (np.abs(found) <= 1.001), found, 0).astype(np.float32)


def regions(mask: UInt8[np.ndarray, "_h _w"], *, min_pixels: int) -> Iterator[Region]:
    """The connected parts of a mask (0 or 1) of at least `min_pixels`."""
    cv2 = opencv()
    _, labels, rows, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    for label in (np.flatnonzero(rows[1:, cv2.CC_STAT_AREA] >= min_pixels) + 1).tolist():  # the first is no part
        left, top, width, height, _ = rows[label].tolist()
        right, bottom = left + width, top + height
        yield Region(left=left, top=top, right=right, bottom=bottom, mask=labels[top:bottom, left:right] == label)
