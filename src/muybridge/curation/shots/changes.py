"""How frames of a window differ: by what is new in them, and how they lie between others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt8

from muybridge.curation.opencv import opencv
from muybridge.curation.shots.joins import Thumbnails

REACH_PX = 3  # of a thumbnail: things move so far between frames without being news
SWITCH_PX, SWITCH_FRAMES = 2, 2  # a pixel switches where nothing so near explains what it is so many frames later
SWITCH = 12  # levels: more than noise, and light that changes

Span = tuple[Thumbnails, Thumbnails]  # the lowest and the highest level so near to every pixel


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Thumbnails and what is worked out of them once.

    `near` and `nearer` are the spans of levels within `REACH_PX` and `SWITCH_PX` of every pixel; `products` the inner
    products of all pairs of frames, from which the distances of frames and of their mixtures follow; `level` the mean
    of a frame, `contrast` the spread of its levels, `detail` the mean square of its gradients.
    """

    frames: Thumbnails
    near: Span
    nearer: Span
    products: Float64[np.ndarray, "t t"]
    level: Float32[np.ndarray, "t"]
    contrast: Float64[np.ndarray, "t"]
    detail: Float32[np.ndarray, "t"]
    switches: Bool[np.ndarray, "t-2 27 48"]  # where a frame's pixels have become something else `SWITCH_FRAMES` later

    def __len__(self) -> int:
        return len(self.frames)

    def news(self, before: Int64[np.ndarray, "n"], after: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
        """Mean levels by which pixels of one frame lie outside of all that the other shows near them.

        Both ways, the larger of the two. Things that move by less than `REACH_PX` are no news, whatever they are.
        """
        return np.maximum(self._outside(after, before), self._outside(before, after))

    def differs(self, before: int, after: int) -> Bool[np.ndarray, "27 48"]:
        """Which pixels of the one frame are nowhere within `SWITCH_PX` in the other, or the other way round."""
        return _differs(self.frames, self.nearer, slice(before, before + 1), slice(after, after + 1))[0]

    def outside_both(self, frame: int, first: int, last: int) -> float:
        """Mean levels by which pixels of a frame lie outside of all that two others show near them."""
        low, high = self.near
        spans = np.minimum(low[[first]], low[[last]]), np.maximum(high[[first]], high[[last]])
        return float(_beyond(self.frames[[frame]], *spans).mean())

    def _outside(self, new: Int64[np.ndarray, "n"], known: Int64[np.ndarray, "n"]) -> Float32[np.ndarray, "n"]:
        low, high = self.near
        return _beyond(self.frames[new], low[known], high[known]).mean(axis=(1, 2, 3), dtype=np.float32)

    def distance(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Mean square of the difference of frames, by their numbers."""
        products = self.products
        return products[first, first] + products[second, second] - 2 * products[first, second]


def window(thumbnails: Thumbnails) -> Window:
    """All of it. About 0.05 ms a frame. Raises MissingExtra."""
    pixels = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    pixels -= pixels.mean()
    grey = _sum_of_colours(thumbnails).astype(np.float32) / 3
    nearer = span(thumbnails, reach_px=SWITCH_PX)
    return Window(
        frames=thumbnails,
        near=span(thumbnails, reach_px=REACH_PX),
        nearer=nearer,
        products=(pixels @ pixels.T).astype(np.float64) / pixels.shape[1],
        level=grey.mean(axis=(1, 2)),
        contrast=np.array([opencv().meanStdDev(frame)[1].max() for frame in thumbnails]),
        detail=np.square(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.square(np.diff(grey, axis=2)).mean(axis=(1, 2)),
        switches=_differs(thumbnails, nearer, slice(None, -SWITCH_FRAMES), slice(SWITCH_FRAMES, None)),
    )


def span(frames: Thumbnails, *, reach_px: int) -> Span:
    """The lowest and the highest level within a square around every pixel."""
    module, square = opencv(), np.ones((2 * reach_px + 1, 2 * reach_px + 1), np.uint8)
    low, high = np.empty_like(frames), np.empty_like(frames)
    for number, frame in enumerate(frames):
        module.erode(frame, square, dst=low[number])
        module.dilate(frame, square, dst=high[number])
    return low, high


def _differs(frames: Thumbnails, nearer: Span, before: slice, after: slice) -> Bool[np.ndarray, "n 27 48"]:
    """As `Window.differs`, of many pairs."""
    low, high = nearer
    beyond = np.maximum(
        _beyond(frames[after], low[before], high[before]), _beyond(frames[before], low[after], high[after])
    )
    red, green, blue = np.moveaxis(beyond > SWITCH, 3, 0)
    return red | green | blue


def _beyond(frames: Thumbnails, low: Thumbnails, high: Thumbnails) -> UInt8[np.ndarray, "t h w 3"]:
    """Levels by which pixels lie outside of a span."""
    return (np.maximum(frames, high) - high) + (low - np.minimum(frames, low))


def _sum_of_colours(frames: Thumbnails) -> np.ndarray:
    """numpy sums over a short last axis take forty times as long."""
    return frames[..., 0].astype(np.uint16) + frames[..., 1] + frames[..., 2]
