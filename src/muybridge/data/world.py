"""The seam between the captioned worlds and what trains on them."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np


class World(Protocol):
    """Endless captioned clips: scene i of a split is a pure function of the world's seed and i, drawn at any size."""

    def scene(self, index: int, *, split: Literal["train", "held_out"] = "train") -> Any:
        """The index-th scene; combinations in "held_out" never occur in "train"."""
        ...

    def render(self, scene: Any, *, size_px: int, num_frames: int) -> np.ndarray:
        """uint8 (t, h, w, 3)."""
        ...

    def captions(self, scene: Any, num_variants: int = 4) -> Sequence[str]:
        """The scene in several wordings."""
        ...
