"""RGB as the planes of H.264, ten times as fast as swscale does it exactly: clips by the million are written."""

import numpy as np
from av.video.frame import VideoFrame
from jaxtyping import UInt8

from muybridge.curation.opencv import opencv
from muybridge.media.colour import BT709, LIMITED
from muybridge.media.frames import Picture

RED, BLUE = 0.2126, 0.0722  # luma of BT.709; green has the rest
LUMA, CHROMA = 219 / 255, 224 / 255  # limited range over full range
LUMA_ZERO, CHROMA_ZERO = 16, 128


def as_yuv420(picture: Picture) -> VideoFrame:
    """The picture, both sides even, as limited-range BT.709, tagged so; colour at half size is the mean of four pixels.

    Measured on film: 0.03 levels from swscale's exact conversion in the mean, 4 at most. Raises MissingExtra.
    """
    frame = VideoFrame.from_ndarray(_planes(picture), format="yuv420p")
    frame.colorspace, frame.color_range = BT709, LIMITED
    return frame


def _planes(picture: Picture) -> UInt8[np.ndarray, "three_halves_h w"]:
    """Luma over both colours, as FFmpeg lays them out."""
    module = opencv()
    height, width = picture.shape[:2]
    luma, *colours = module.split(module.transform(np.ascontiguousarray(picture), _matrix()))
    half = (width // 2, height // 2)
    small = [module.resize(colour, half, interpolation=module.INTER_AREA) for colour in colours]
    return np.concatenate([plane.ravel() for plane in (luma, *small)]).reshape(height * 3 // 2, width)


def _matrix() -> np.ndarray:
    """(3, 4): luma and colour differences from red, green, blue and one."""
    luma = np.array([RED, 1 - RED - BLUE, BLUE])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - BLUE))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - RED))
    rows = np.stack([luma * LUMA, blue * CHROMA, red * CHROMA])
    zeros = np.array([[LUMA_ZERO], [CHROMA_ZERO], [CHROMA_ZERO]])
    return np.concatenate([rows, zeros], axis=1).astype(np.float32)
