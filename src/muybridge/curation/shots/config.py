"""What a clip may be."""

from dataclasses import dataclass
from typing import Literal

from muybridge.core.errors import invalid

Detector = Literal["ours", "transnet", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShotsConfig:
    """How footage is read and cut."""

    detector: Detector = "ours"  # never chosen by what is installed: equal settings give equal clips everywhere
    side_px: int = 256  # short side of the clips, never enlarged: the smallest tier
    max_fps: float = 60.0  # faster film is thinned to a whole fraction of its rate
    min_s: float = 1.0
    min_frames: int = 25  # 4n + 1, as the VAE takes them: one second of film
    max_s: float = 10.0  # of a clip; paper 3: 129 frames are trained on, longer stretches are cut again when loaded
    stride_s: float = 10.0  # from the start of a clip to the next one's in the same shot
    trim_s: float = 0.1  # left out on both sides of a join: compression smears a cut over a frame or two
    start_s: float = 1.0  # in the first part of a clip that is this long a clear frame is looked for to start with
    clear: float = 0.8  # sharpness, of the clip's median, from which on a frame is clear

    def __post_init__(self) -> None:
        if self.side_px < 16 or self.side_px % 2:
            raise invalid(f"side_px={self.side_px}", "the short side is even and at least 16 px", "use 256")
        if not 1 <= self.max_fps <= 240:
            raise invalid(f"max_fps={self.max_fps}", "rates lie between 1 and 240 frames/s", "use 60")
        if self.min_frames < 1 or self.min_s < 0:
            raise invalid(f"min_frames={self.min_frames}, min_s={self.min_s}", "a clip holds a frame", "use 25 and 1.0")
        if not self.min_s < self.max_s <= 60:
            rule = f"a clip is longer than min_s={self.min_s} and at most 60 s, as its frames are held in memory"
            raise invalid(f"max_s={self.max_s}", rule, "use 10")
        if self.stride_s < self.max_s:
            raise invalid(f"stride_s={self.stride_s}", f"clips of max_s={self.max_s} s would overlap", "use max_s")
        if min(self.trim_s, self.start_s, self.clear) < 0:
            given = f"trim_s={self.trim_s}, start_s={self.start_s}, clear={self.clear}"
            raise invalid(given, "none is negative", "use 0.1, 1.0 and 0.8")
