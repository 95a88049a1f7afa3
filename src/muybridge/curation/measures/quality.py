"""The stage that measures how good frames look: damage, naturalness, and rules of thumb for beauty."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from muybridge.curation.clip import Clip, Value
from muybridge.curation.measures.aesthetic import aesthetic
from muybridge.curation.measures.brisque import Brisque, load_brisque
from muybridge.curation.measures.looks import grey, samples
from muybridge.curation.measures.niqe import niqe
from muybridge.curation.measures.technical import QualityConfig, QualityNet, pristine_of
from muybridge.curation.measures.traces import MIN_SIDE_PX, traces
from muybridge.curation.plain import Measurement
from muybridge.curation.stage import Column
from muybridge.media.frames import Picture
from muybridge.weights.assets import ensure
from muybridge.weights.small import load_small

QUALITY_FILE = Path(__file__).resolve().parent.parent / "embedded" / "quality.safetensors"
NUM_FRAMES = 2


class Quality(Measurement):
    """`technical` 0 to 1 by our own network, `niqe`, `brisque`, and `aesthetic` 0 to 1; medians over the frames.

    has_brisque: fetch BRISQUE's support vectors (PyPI `brisque`, Apache-2.0); without, the column is None.
    """

    name = "quality"
    version = 2
    outputs: Mapping[str, Column] = MappingProxyType({
        "technical": "float", "niqe": "float", "brisque": "float", "aesthetic": "float",
    })  # fmt: skip

    def __init__(self, *, has_brisque: bool = False) -> None:
        self.has_brisque = has_brisque
        self._network: QualityNet | None = None
        self._brisque: Brisque | None = None

    def prepare(self) -> None:
        """Fetch the support vectors where they are wanted. Raises AssetError."""
        if self.has_brisque:
            ensure("brisque")

    def setup(self) -> None:
        """Load the networks. Raises WeightsError, AssetError."""
        self._network = load_small(QUALITY_FILE, QualityConfig, QualityNet)
        if self.has_brisque:
            self._brisque = load_brisque(ensure("brisque"))

    def measure(self, clip: Clip) -> Mapping[str, Value]:
        """The values of `outputs`; frames below 32 px have no technical value, below 96 px no niqe."""
        assert self._network is not None, "setup() comes first"
        chosen = samples(clip.frames, NUM_FRAMES)
        pictures = [grey(frame) for frame in chosen]
        scores = [] if self._brisque is None else [self._brisque(picture) for picture in pictures]
        known = [score for score in scores if score is not None]
        return {
            "technical": technical(self._network, chosen), "niqe": niqe(pictures, *pristine_of(self._network)),
            "brisque": float(np.median(known)) if known else None,
            "aesthetic": float(np.median([aesthetic(frame) for frame in chosen])),
        }  # fmt: skip


@torch.inference_mode()
def technical(network: QualityNet, pictures: list[Picture]) -> float | None:
    """The middle quality of pictures of one size; None where they are too small to tell."""
    if min(pictures[0].shape[:2]) < MIN_SIDE_PX:
        return None
    found = np.stack([traces(picture) for picture in pictures])
    return float(network(torch.from_numpy(found).float()).median())
