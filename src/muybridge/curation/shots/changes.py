"""How frames of a window differ: by what is new in them, and how they lie between others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from muybridge.curation.shots.joins import Thumbnails

REACH_PX = 3  # of a thumbnail: things move so far between frames without being news
SWITCH_PX, SWITCH_FRAMES = 2, 2  # a pixel switches where nothing so near explains what it is so many frames later
SWITCH = 12  # levels: more than noise, and light that changes


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Thumbnails and what is worked out of them once.

    `low` and `high` are the extremes within `REACH_PX` of every pixel; `products` the inner products of all pairs of
    frames, from which the distances of frames and of their mixtures follow; `level` the mean of a frame, `contrast` the
    spread of its levels, `detail` the mean square of its gradients. `switches` tells where a frame's pixels have
    become something else `SWITCH_FRAMES` later.
    """

    frames: Thumbnails
    low: Thumbnails
    high: Thumbnails
    products: Float64[np.ndarray, "t t"]
    level: Float32[np.ndarray, "t"]
    contrast: Float32[np.ndarray, "t"]
    detail: Float32[np.ndarray, "t"]
    switches: Bool[np.ndarray, "t-2 27 48"]

    def __len__(self) -> int:
        return len(self.frames)

    def news(self, before: Int64[np.ndarray, "n"], after: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
        """Mean levels by which pixels of one frame lie outside of all that the other shows near them.

        Both ways, the larger of the two. Things that move by less than `REACH_PX` are no news, whatever they are.
        """
        return np.maximum(self._outside(after, before), self._outside(before, after))

    def _outside(self, new: Int64[np.ndarray, "n"], known: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
        beyond = _beyond(self.frames[new], self.low[known], self.high[known])
        return beyond.mean(axis=(1, 2, 3), dtype=np.float32)

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Mean square of the difference of frames, by their numbers."""
        products = self.products
        return products[first, first] + products[second, second] - 2 * products[first, second]


def window(thumbnails: Thumbnails) -> Window:
    """All of it. About 0.1 ms a frame."""
    pixels = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    pixels -= pixels.mean()
    grey = thumbnails.mean(axis=3, dtype=np.float32)
    colours = pixels.reshape(len(pixels), -1, 3)
    return Window(
        frames=thumbnails,
        low=spread(thumbnails, np.minimum, reach_px=REACH_PX),
        high=spread(thumbnails, np.maximum, reach_px=REACH_PX),
        products=(pixels @ pixels.T).astype(np.float64) / pixels.shape[1],
        level=grey.mean(axis=(1, 2)),
        contrast=colours.std(axis=1).max(axis=1),
        detail=np.square(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.square(np.diff(grey, axis=2)).mean(axis=(1, 2)),
        switches=differs(thumbnails[:-SWITCH_FRAMES], thumbnails[SWITCH_FRAMES:]),
    )


def differs(before: Thumbnails, after: Thumbnails) -> Bool[np.ndarray, "t 27 48"]:
    """Which pixels of the one frame are nowhere within `SWITCH_PX` in the other, or the other way round."""
    spans = [
        [spread(each, extreme, reach_px=SWITCH_PX) for extreme in (np.minimum, np.maximum)] for each in (before, after)
    ]
    beyond = np.maximum(_beyond(after, *spans[0]), _beyond(before, *spans[1]))
    return np.any(beyond > SWITCH, axis=3)


def _beyond(frames: Thumbnails, low: Thumbnails, high: Thumbnails) -> UInt8[np.ndarray, "t h w 3"]:
    """Levels by which pixels lie outside of a span."""
    return (np.maximum(frames, high) - high) + (low - np.minimum(frames, low))


def spread(frames: Thumbnails, extreme: np.ufunc, *, reach_px: int) -> UInt8[np.ndarray, "t h w 3"]:
    """The largest or smallest level so near to every pixel."""
    result = frames.copy()
    for axis in (1, 2):
        line = np.moveaxis(result.copy(), axis, 0)
        out = np.moveaxis(result, axis, 0)
        for shift in range(1, reach_px + 1):
            extreme(out[:-shift], line[shift:], out=out[:-shift])
            extreme(out[shift:], line[:-shift], out=out[shift:])
    return result
