"""How likely a picture is to show nudity, by Yahoo's open_nsfw (2016, BSD-2-Clause; asset "nsfw")."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from muybridge.curation.opencv import opencv
from muybridge.curation.people.sessions import need_onnxruntime, opened
from muybridge.media.frames import Picture
from muybridge.weights.assets import ensure

ASSET, FILE = "nsfw", "open-nsfw.onnx"
SIDE_PX, CROP_PX = 256, 224  # squeezed to the one, its middle of the other: classify_nsfw.py of its authors
MEANS = (104.0, 117.0, 123.0)  # of blue, green, red: taken off, levels 0 to 255; the same file


class OpenNsfw:
    """The network, a ResNet of 50 layers. folder: where it lies; None for the asset."""

    name = "open_nsfw"
    version = 1

    def __init__(self, *, folder: Path | None = None) -> None:
        self.folder = folder
        self._session: Any = None

    def prepare(self) -> None:
        """Fetch the network. Raises AssetError, MissingExtra."""
        need_onnxruntime("nudity")
        opencv()
        if self.folder is None:
            ensure(ASSET)

    def setup(self) -> None:
        """Load the network."""
        self._session = opened((self.folder or ensure(ASSET)) / FILE)

    def score(self, picture: Picture) -> float:
        """0 to 1: below 0.2 it is most likely safe, above 0.8 most likely not (its authors)."""
        assert self._session is not None, "setup() comes first"
        return float(self._session.run(None, {"input:0": prepared(picture)})[0][0, 1])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}


def prepared(picture: Picture) -> Float32[np.ndarray, "1 224 224 3"]:
    """As the network takes it.

    Differs from its authors': they pass the picture through JPEG once more, which a film has been through already.
    """
    cv2 = opencv()
    square = cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    margin = (SIDE_PX - CROP_PX) // 2
    middle = square[margin : margin + CROP_PX, margin : margin + CROP_PX]
    return middle[None, ..., ::-1].astype(np.float32) - np.array(MEANS, np.float32)
