"""What a captioner is: it sees some frames of each clip and what was measured of it, and gives structured captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np

from muybridge.core.errors import invalid
from muybridge.curation.clip import Value
from muybridge.media.frames import Frames
from muybridge.worlds.structured import StructuredCaption

NUM_FRAMES = 8  # that a captioner sees of a clip (convention)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipView:
    """What a captioner is shown of a clip: frames spread over it, uint8 RGB, and the columns measured so far."""

    id: str
    frames: Frames
    fps: float  # of the clip, not of the frames here
    duration_s: float
    columns: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not len(self.frames):
            raise invalid(f"clip {self.id}", "a view shows at least one frame", "leave the clip out")

    @property
    def is_picture(self) -> bool:
        """Whether nothing can move."""
        return len(self.frames) == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class CaptionResult:
    """A clip's caption, or the problem that kept it from having one, in a line.

    `repairs` is what was mended in the model's answer, `num_tokens` how many tokens the model wrote for it (0 from a
    cache).
    """

    caption: StructuredCaption | None
    problem: str | None = None
    repairs: tuple[str, ...] = ()
    num_tokens: int = 0


class Captioner(Protocol):
    """Structured captions of clips. Equal clips in equal batches give equal captions where the model allows it."""

    @property
    def name(self) -> str:
        """Lower case; `caption_by` of the manifest."""
        ...

    @property
    def identity(self) -> str:
        """Everything that decides its captions beside the clip: model, version, instruction. Part of cache keys."""
        ...

    def prepare(self) -> None:
        """Once, before work: load the model, reach the server. Raises AssetError, WeightsError, RunFailed."""
        ...

    def caption(self, views: Sequence[ClipView]) -> list[CaptionResult]:
        """A result for each clip, in order.

        A clip that cannot be captioned gets its problem. Raises RunFailed where no clip can be.
        """
        ...


def spread(frames: Frames, num_frames: int = NUM_FRAMES) -> Frames:
    """At most `num_frames` of the frames, evenly over the whole, the first and the last among them."""
    return frames[spread_numbers(len(frames), num_frames)]


def spread_numbers(length: int, num_frames: int = NUM_FRAMES) -> list[int]:
    """The numbers of the frames that `spread` takes of so many."""
    return np.linspace(0, length - 1, min(num_frames, length)).round().astype(int).tolist()
