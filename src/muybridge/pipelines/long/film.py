"""How a film that is longer than the network was trained for is made, and whether that can be done."""

from dataclasses import dataclass
from typing import Literal, get_args

from muybridge.core.errors import invalid
from muybridge.core.shapes import TEMPORAL_RATIO, check_num_frames, latent_frames
from muybridge.ops.rope import Bend, Riflex, as_trained

Switch = Literal["auto", "on", "off"]

HELD = 2  # latent frames of the window before that a window goes on from: the last place and the last movement
FADED = 1  # latent frames that both windows make; the picture passes from one to the other in even steps
LEADING = 6  # latent frames before leaving ones with which those are decoded: convention
STEADIER = 4  # times stronger, where frames pass to the next window: chosen on gallop, 4 films
MIN_WINDOW = 1 + TEMPORAL_RATIO * (HELD + FADED)  # frames: leaves one that is new
RIFLEX_FROM = 193  # frames: released, more than 192
MIN_INDEX, MAX_INDEX, INDEX_FRAMES = 4, 8, 100  # released: of the frequency; its number grows with this many frames
CONTEXT_SHARED = 4  # a quarter of a context window is shared with the next: convention


@dataclass(frozen=True, kw_only=True, slots=True)
class LongFilm:
    """Beyond the trained length.

    window: the film is made so many frames at a time, each window going on from the last; 0, or no more frames than
    that, makes it whole. context: the film is made whole, but the network sees so many frames at a time. riflex: slows
    the frequency that would make a film of over 192 frames repeat itself; auto where the network sees that many.
    Raises InvalidInput where a value breaks a rule.
    """

    window: int = 0
    context: int = 0
    riflex: Switch = "auto"

    def __post_init__(self) -> None:
        for name, frames in (("window", self.window), ("context", self.context)):
            if frames and frames < MIN_WINDOW:
                rule = f"needs at least {MIN_WINDOW} frames, of which {MIN_WINDOW - TEMPORAL_RATIO} tie it to another"
                raise invalid(f"{name}={frames}", rule, "use 17, or 0 for none")
            if frames:
                check_num_frames(frames)
        if self.window and self.context:
            remedy = "leave one out, or set it to 0"
            raise invalid("window with context", "a film is made window by window or whole", remedy)
        if self.riflex not in get_args(Switch):
            raise invalid(f"riflex={self.riflex}", "is auto, on or off", "use auto")

    def acting(self, num_frames: int) -> "LongFilm":
        """What of it acts on a film of this length."""
        names = {name: getattr(self, name) for name in ("window", "context") if 0 < getattr(self, name) < num_frames}
        return LongFilm(**names, riflex=self.riflex)

    def streams(self, num_frames: int) -> bool:
        """Whether a film of this length is made window by window."""
        return 0 < self.window < num_frames

    def is_passing(self, frame: int) -> bool:
        """Whether this frame of a film in windows, from 0, shows two of them."""
        size = latent_frames(self.window)
        since = -(-frame // TEMPORAL_RATIO) - (size - FADED)  # latent frames since the first that two windows make
        return since >= 0 and since % (size - HELD - FADED) < FADED

    def seen(self, num_frames: int) -> int:
        """Frames that the network sees at a time."""
        return min([num_frames, *(frames for frames in (self.window, self.context) if frames)])

    def can_share(self, num_frames: int) -> bool:
        """Whether such a film may share passes of the network with others: it sees the film as it sees any."""
        is_whole = not self.streams(num_frames) and self.context_latents(num_frames) is None
        return is_whole and self.riflex_index(num_frames) is None

    def bend(self, num_frames: int) -> Bend:
        """What becomes of the frequencies of time."""
        index = self.riflex_index(num_frames)
        return as_trained if index is None else Riflex(index=index)

    def riflex_index(self, num_frames: int) -> int | None:
        """Which frequency of time is slowed, from 1; None for none.   Released rule, arXiv 2502.15894."""
        seen = self.seen(num_frames)
        if self.riflex == "off" or (self.riflex == "auto" and seen < RIFLEX_FROM):
            return None
        return min(max(2 + (seen + 3) // INDEX_FRAMES, MIN_INDEX), MAX_INDEX)

    def context_latents(self, num_frames: int) -> tuple[int, int] | None:
        """(size, overlap) of context windows in latent frames; None where the network sees the film at once."""
        if not 0 < self.context < num_frames:
            return None
        size = latent_frames(self.context)
        return size, max(1, size // CONTEXT_SHARED)
