"""Duration x aspect: the shapes that samples are brought to, so that batches are homogeneous.   Paper 5.2."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.core.errors import invalid
from muybridge.core.shapes import check_num_frames, check_size, latent_shape, token_grid

MULTIPLE_PX = 16  # a latent cell is 8 px and a token two cells wide
Extraction = Literal["head", "middle", "chunk", "slide", "uniform", "full"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BucketsConfig:
    """Which buckets there are, and what is done to bring an input into one.

    resolutions: (width, height) in px; only their area counts where num_aspects is above 1. frames: lengths; 1 is for
    pictures and only them. extraction of a film longer than its bucket: head and middle take one sample; chunk all that
    lie end to end; slide one every slide_frames; uniform num_uniform evenly spread; full one of 4n+1 frames, as long as
    the film or the longest of `frames`. fps: films are read at this rate or their own, whichever is lower; of what
    that gives, every frame_interval-th frame is taken. max_upscale: None for any.
    """

    resolutions: tuple[tuple[int, int], ...] = ((256, 256),)
    num_aspects: int = 7  # 1: the resolutions as they stand
    min_aspect: float = 0.5  # width / height
    max_aspect: float = 2.0
    frames: tuple[int, ...] = (1, 17)
    extraction: Extraction = "head"
    slide_frames: int = 8
    num_uniform: int = 2
    frame_interval: int = 1
    fps: float | None = None
    max_upscale: float | None = 1.0
    max_crop: float = 0.5  # share of the picture that may be lost
    crop: Literal["centre", "smart"] = "centre"

    def __post_init__(self) -> None:
        if not self.resolutions or not self.frames:
            raise invalid("no resolution or no length", "a bucket needs both", "use resolutions=((256, 256),)")
        for width, height in self.resolutions:
            check_size(width, height, multiple=MULTIPLE_PX)
        for num_frames in self.frames:
            check_num_frames(num_frames)
        for name in ("num_aspects", "slide_frames", "num_uniform", "frame_interval"):
            if getattr(self, name) < 1:
                raise invalid(f"{name}={getattr(self, name)}", "must be at least 1", "use 1")
        if self.extraction not in get_args(Extraction):
            given = f"extraction={self.extraction!r}"
            raise invalid(given, "is none that is known", f"use one of {', '.join(get_args(Extraction))}")
        if not 0 < self.min_aspect <= self.max_aspect:
            raise invalid(f"min_aspect={self.min_aspect}", "lies above 0 and up to max_aspect", "use 0.5")
        if self.fps is not None and not self.fps > 0:
            raise invalid(f"fps={self.fps}", "must be positive", "use 24, or leave it out")
        if self.max_upscale is not None and not self.max_upscale >= 1:
            raise invalid(f"max_upscale={self.max_upscale}", "must be at least 1", "use 1 for no enlarging")
        if not 0 <= self.max_crop < 1:
            raise invalid(f"max_crop={self.max_crop}", "a share in [0, 1)", "use 0.5")

    def film_lengths(self) -> tuple[int, ...]:
        """Lengths that are not a picture's, the longest first."""
        return tuple(sorted({length for length in self.frames if length > 1}, reverse=True))


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Bucket:
    """One shape; pictures have one frame."""

    num_frames: int
    width_px: int
    height_px: int

    @property
    def name(self) -> str:
        """`17x320x192`: frames, width, height."""
        return f"{self.num_frames}x{self.width_px}x{self.height_px}"

    @property
    def latent_thw(self) -> tuple[int, int, int]:
        """Latent frames, rows and columns of one sample."""
        return latent_shape(self.num_frames, self.height_px, self.width_px)[1:]

    @property
    def num_tokens(self) -> int:
        """What the transformer sees of one sample, patches of (1, 2, 2) latent cells.   Paper 4.2."""
        return math.prod(token_grid(self.latent_thw, (1, 2, 2)))


def sizes(config: BucketsConfig) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each resolution, the largest first: its (width, height)s, aspects evenly spread in log scale."""
    by_area = sorted(config.resolutions, key=lambda size: -size[0] * size[1])
    if config.num_aspects == 1:
        return tuple((size,) for size in by_area)
    low, high = math.log(config.min_aspect), math.log(config.max_aspect)
    steps = config.num_aspects - 1
    aspects = [math.exp(low + (high - low) * step / steps) for step in range(config.num_aspects)]
    return tuple(
        tuple(dict.fromkeys(_of_area(width * height, aspect) for aspect in aspects)) for width, height in by_area
    )


def batch_sizes(
    buckets: Sequence[Bucket], counts: Sequence[int], *, budget_tokens: int, multiple: int = 1
) -> list[int]:
    """Samples of each bucket's batch: at most `budget_tokens` together, and no more than it has.

    A multiple of `multiple`, and at least that: ranks times micro-batches, so that each has as many rows.
    """
    fitting = [min(budget_tokens // bucket.num_tokens, count) for bucket, count in zip(buckets, counts, strict=True)]
    return [max(1, number // multiple) * multiple for number in fitting]


def _of_area(area_px: int, aspect: float) -> tuple[int, int]:
    """Sides near the area and the aspect, multiples of 16."""
    width = max(1, round(math.sqrt(area_px * aspect) / MULTIPLE_PX)) * MULTIPLE_PX
    height = max(1, round(math.sqrt(area_px / aspect) / MULTIPLE_PX)) * MULTIPLE_PX
    return width, height
