"""The stage that measures how sharp frames are, and the size up to which they hold detail."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from muybridge.curation.clip import Clip, Value
from muybridge.curation.measures.detail import detail_share
from muybridge.curation.measures.looks import Grey, grey, samples, shrunk
from muybridge.curation.opencv import opencv
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column

SIDE_PX = 256  # short side at which sharpness is measured; smaller frames as they are
NUM_FRAMES = 6
NUM_DETAILED = 2


class Blur(Measurement):
    """`sharpness` is the middle frame's variance of the Laplacian, `blur_worst` the least sharp frame's.

    `detail_px` is the short side, at most the frames', that would hold all of their detail.
    """

    name = "blur"
    outputs: Mapping[str, Column] = MappingProxyType({
        "sharpness": "float", "blur_worst": "float", "detail_px": "float",
    })  # fmt: skip

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`. Raises MissingExtra without OpenCV."""
        pictures = [grey(frame) for frame in samples(clip.frames, NUM_FRAMES)]
        found = [sharpness(picture) for picture in pictures]
        sharpest = sorted(range(len(found)), key=lambda number: -found[number])[:NUM_DETAILED]
        share = detail_share([pictures[number] for number in sharpest])
        return {
            "sharpness": float(np.median(found)), "blur_worst": min(found),
            "detail_px": share * min(clip.frames.shape[1:3]),
        }  # fmt: skip


def sharpness(picture: Grey) -> float:
    """Variance of the Laplacian, in levels squared: 0 is blank, below about 50 soft, 200 to 2,000 sharp."""
    module = opencv()
    return float(module.Laplacian(shrunk(picture, SIDE_PX), module.CV_32F).var(dtype=np.float64))
