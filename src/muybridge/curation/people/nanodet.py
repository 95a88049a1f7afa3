"""People seen whole or in part, by the fetched detector of things (`nanodet_network`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from muybridge.curation.opencv import opencv
from muybridge.curation.people.faces import Body, thinned
from muybridge.curation.people.nanodet_network import STRIDES_PX, Maps, NanoDet, load
from muybridge.media.frames import Picture
from muybridge.weights.assets import ensure

ASSET = "nanodet"
PERSON = 0  # of the eighty classes
SIDE_PX, STEP_PX = 416, 32  # the short side it was trained on, and what sides are multiples of
MAX_LONG_SIDES = 2.5  # of the short side, where a picture is very long
MEANS, DEVIATIONS = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)  # of blue, green, red: its authors'
MIN_SCORE = 0.45
MAX_OVERLAP = 0.6  # of two people who stand before each other: its authors'


class NanoDetBodies:
    """Bodies from about a tenth of the picture's height. folder: where the network lies; None for the asset."""

    name = "nanodet"
    version = 1

    def __init__(self, *, folder: Path | None = None) -> None:
        self.folder = folder
        self._network: NanoDet | None = None

    def prepare(self) -> None:
        """Fetch the network. Raises AssetError, MissingExtra."""
        opencv()
        if self.folder is None:
            ensure(ASSET)

    def setup(self) -> None:
        """Load the network. Raises WeightsError."""
        self._network = load(self.folder or ensure(ASSET))

    def bodies(self, picture: Picture) -> tuple[Body, ...]:
        """Those with scores from 0.45."""
        assert self._network is not None, "setup() comes first"
        height, width = picture.shape[:2]
        scale = min(SIDE_PX / min(height, width), MAX_LONG_SIDES * SIDE_PX / max(height, width))
        rows, columns = (max(1, round(side * scale / STEP_PX)) * STEP_PX for side in (height, width))
        cv2 = opencv()
        method = cv2.INTER_AREA if rows < height else cv2.INTER_LINEAR
        pixels = cv2.resize(picture, (columns, rows), interpolation=method)[..., ::-1].astype(np.float32)
        normal = ((pixels - np.array(MEANS, np.float32)) / np.array(DEVIATIONS, np.float32)).transpose(2, 0, 1)
        with torch.inference_mode():
            maps = self._network(torch.from_numpy(np.ascontiguousarray(normal))[None])
        return thinned(decoded(maps, across=width / columns, down=height / rows), max_overlap=MAX_OVERLAP)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_network": None}


def decoded(maps: list[Maps], *, across: float, down: float) -> Iterator[Body]:
    """People out of the network's maps; across, down: pixels of the picture in one of the network's."""
    for stride_px, (chances, sides) in zip(STRIDES_PX, maps, strict=True):
        scores, reach = chances[0, PERSON].numpy(), sides[0].numpy() * stride_px
        for row, column in np.argwhere(scores >= MIN_SCORE).tolist():
            x, y = (column + 0.5) * stride_px, (row + 0.5) * stride_px
            left, top, right, bottom = (float(each) for each in reach[:, row, column])
            box = ((x - left) * across, (y - top) * down, (x + right) * across, (y + bottom) * down)
            yield Body(box=box, score=float(scores[row, column]))
