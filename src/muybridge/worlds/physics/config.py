"""What a physics world is: frame, clip, split and the events and camera movements it draws from."""

from dataclasses import dataclass

from muybridge.core.errors import invalid
from muybridge.worlds.movements import MOVEMENTS
from muybridge.worlds.physics.shapes import EVENTS

MIN_CLIP_S, MAX_CLIP_S = 1.0, 8.0  # shorter: nothing can topple; longer: everything has come to rest


@dataclass(frozen=True, kw_only=True, slots=True)
class PhysicsConfig:
    """The world's settings. `events` and `cameras` are names, () means all of them; `num_frames` is 4n+1.

    `held_out_fraction` of the combinations (colour, shape, event) never occur in the split "train".
    """

    width_px: int = 128
    height_px: int = 128
    num_frames: int = 17
    fps: int = 12
    events: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    held_out_fraction: float = 0.05
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width_px", "height_px"):
            if not 16 <= getattr(self, name) <= 1024:
                raise invalid(f"{name}={getattr(self, name)}", "scenes are drawn from 16 to 1024 px", "use 128")
        if self.num_frames < 1 or self.num_frames % 4 != 1:
            raise invalid(f"num_frames={self.num_frames}", "clips have 4n+1 frames", "use 17")
        if not 1 <= self.fps <= 60:
            raise invalid(f"fps={self.fps}", "must lie in [1, 60]", "use 12")
        if not MIN_CLIP_S <= self.clip_s <= MAX_CLIP_S:
            given = f"num_frames={self.num_frames} at fps={self.fps}"
            raise invalid(given, f"a clip lasts {MIN_CLIP_S:g} to {MAX_CLIP_S:g} s", "use 17 frames at 12 fps")
        if not 0 <= self.held_out_fraction < 0.5:
            raise invalid(f"held_out_fraction={self.held_out_fraction}", "must lie in [0, 0.5)", "use 0.05")
        for name, known in (("events", EVENTS), ("cameras", MOVEMENTS)):
            for word in getattr(self, name):
                if word not in known:
                    raise invalid(f"{name} has {word!r}", "there is no such name", f"choose from {', '.join(known)}")

    @property
    def clip_s(self) -> float:
        """Seconds from the first frame to the last."""
        return (self.num_frames - 1) / self.fps
