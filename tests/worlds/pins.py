"""What a settled world is compared with: a digest of its words, and pixels that another processor may round."""

import hashlib
import json
from pathlib import Path

import numpy as np

MAX_ROUNDED = 1e-3  # share of values that another processor's rounding may move, by 1 of 255


def digest(value: object) -> str:
    """Of anything that is JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def assert_pixels_stay(drawn: np.ndarray, path: Path) -> None:
    """The clips are those in the .npz, to rounding."""
    apart = np.abs(drawn.astype(int) - np.load(path)["pixels"].astype(int))
    assert apart.max() <= 1 and (apart > 0).mean() < MAX_ROUNDED
