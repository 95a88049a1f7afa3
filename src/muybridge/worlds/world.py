"""What every world of this room can do, so that clips of any are previewed and materialised by the same code."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np

from muybridge.worlds.structured import StructuredCaption

Split = Literal["train", "held_out"]


class DescribedWorld(Protocol):
    """Endless captioned clips. A scene is a frozen dataclass of plain facts, pure in (seed, split, index)."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decides the scenes and their pixels, JSON-ready: "world" is its name, and the seed is part."""
        ...

    @property
    def fps(self) -> int:
        """Frames a second at which its clips are played."""
        ...

    def scene(self, index: int, *, split: Split = "train") -> Any:
        """The facts of clip `index`; no pixels are drawn."""
        ...

    def render(self, scene: Any, *, size_px: int, num_frames: int) -> np.ndarray:
        """uint8 (t, h, w, 3)."""
        ...

    def captions(self, scene: Any, num_variants: int = 4) -> Sequence[str]:
        """The scene in several wordings, the first one short."""
        ...

    def structured(self, scene: Any) -> StructuredCaption:
        """Every field of the paper's caption."""
        ...
