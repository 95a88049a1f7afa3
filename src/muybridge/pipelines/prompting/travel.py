"""Prompts at times of a film: each gives way to the next one, smoothly, between the two times.

{0: "a green meadow", 1.5: "a snowy field"}           changes all the way from the start to 1.5 s, then stays
{0: "a meadow", 1.0: "a meadow", 1.5: "a field"}      stays for a second, then changes within half a second
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.core.shapes import latent_frames
from muybridge.pipelines.film_times import at_times, check_time, frame_at


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptAt:
    """A prompt at a time, as `pipelines.film_times` writes it. Raises InvalidInput."""

    time: str
    prompt: str

    def __post_init__(self) -> None:
        check_time(self.time, name="prompt")
        if not isinstance(self.prompt, str) or not self.prompt.strip():
            raise invalid(f"prompt at {self.time}", "is empty", "say what the film should show from then on")

    def frame(self, fps: int) -> float:
        """The frame of a film that it is at, from 0; between frames where the time is."""
        return frame_at(self.time, fps)


def prompts_at(given: Any) -> tuple[PromptAt, ...]:
    """Prompts at times, of {time: prompt} or a list of "TIME=PROMPT". Raises InvalidInput."""
    if isinstance(given, Sequence) and all(isinstance(each, PromptAt) for each in given):
        return tuple(given)
    return tuple(PromptAt(time=time, prompt=text) for time, text in at_times(given, name="prompt", what="PROMPT"))


def opened(prompt: Any) -> tuple[Any, tuple[PromptAt, ...] | None]:
    """The prompt that a film begins with, and those that follow in {time: prompt}; None where it is not one of these.

    Raises InvalidInput where nothing is said of the beginning.
    """
    if not isinstance(prompt, Mapping):
        return prompt, None
    later = prompts_at(prompt)
    begins = [each for each in later if each.frame(1) == 0]
    if len(begins) != 1 or later[0] != begins[0]:
        raise invalid(f"prompts at {', '.join(map(str, prompt))}", "the first one is at 0", "begin with {0: ...}")
    return begins[0].prompt, later[1:]


def check_times(later: Sequence[PromptAt], *, num_frames: int, fps: int) -> None:
    """Raises InvalidInput unless the times rise, from after the start, to within a film, and every prompt acts."""
    before = 0.0
    for each in later:
        frame = each.frame(fps)
        if frame <= before:
            rule = "comes after the film's own prompt, at 0, and after those before it"
            raise invalid(f"prompt at {each.time}", rule, "give later prompts in the order of their times")
        if frame > num_frames - 1:
            rule = f"the film ends with frame {num_frames - 1}, at {(num_frames - 1) / fps:.4g}s"
            raise invalid(f"prompt at {each.time}", rule, "name a time within it, or make a longer film")
        before = frame
    weights = travel_weights(later, num_frames=num_frames, fps=fps)
    for each, weight in zip(later, weights[1:], strict=True):
        if not bool(weight.any()):
            rule = "acts nowhere: the prompts before and after it are in the same four frames, one latent frame"
            raise invalid(f"prompt at {each.time}", rule, "give times at least 4 frames apart")


def travel_weights(later: Sequence[PromptAt], *, num_frames: int, fps: int) -> Float[Tensor, "k t"]:
    """The weight of the film's prompt and of each later one in every latent frame; they sum up to 1.

    Between two times the later prompt's rises as 3u^2 - 2u^3. A latent frame is at the middle of the frames it holds.
    """
    times = torch.tensor([0.0, *(each.frame(fps) for each in later)], dtype=torch.float64)
    latent = torch.arange(latent_frames(num_frames), dtype=torch.float64)
    middle = (4 * latent - 1.5).clamp_min(0)  # the first latent frame holds one frame, the others four
    share = ((middle - times[:-1, None]) / times.diff()[:, None]).clamp(0, 1)
    risen = torch.cat([torch.ones_like(middle)[None], share**2 * (3 - 2 * share)])
    return torch.cat([risen[:-1] - risen[1:], risen[-1:]]).float()
