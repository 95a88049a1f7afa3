"""What a request says about its text beside the prompt: the camera, prompts at times, corrections of guidance."""

from collections.abc import Mapping
from dataclasses import dataclass

from muybridge.core.errors import invalid
from muybridge.pipelines.prompting.camera import with_camera
from muybridge.pipelines.prompting.travel import PromptAt, check_times
from muybridge.pipelines.prompting.weighting import WeightedPrompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompting:
    """Nothing of it leaves a prompt as it is.

    camera: a movement such as pan left, said after every prompt in the words that the model was trained on. prompt_at:
    prompts that follow at times of the film. cfg_zero_star, zero_steps: as `flow.guidance.ClassifierFree`.
    Raises InvalidInput where a value breaks a rule.
    """

    camera: str | None = None
    prompt_at: tuple[PromptAt, ...] = ()
    cfg_zero_star: bool = False
    zero_steps: int = 0

    def check(self, *, num_frames: int, fps: int, num_steps: int) -> None:
        """Raises InvalidInput where it does not go with the film."""
        if num_frames == 1 and self.prompt_at:
            raise invalid("prompts at times", "a picture has none", "leave them out, or make a film")
        check_times(self.prompt_at, num_frames=num_frames, fps=fps)
        if not isinstance(self.cfg_zero_star, bool):
            raise invalid(f"cfg_zero_star={self.cfg_zero_star!r}", "is on or off", "use True or False")
        if isinstance(self.zero_steps, bool) or not isinstance(self.zero_steps, int) or self.zero_steps < 0:
            raise invalid(f"zero_steps={self.zero_steps!r}", "is a number of steps", "use 1, or 0 for none")
        if self.zero_steps >= num_steps:
            given = f"zero_steps={self.zero_steps} of {num_steps} steps"
            raise invalid(given, "leaves no step to make the film in", "use 1, or 0 for none")


def check_weights(*prompts: str) -> None:
    """Raises InvalidInput where one has a weight that means nothing."""
    for prompt in prompts:
        WeightedPrompt.parse(prompt)


def spoken(prompt: str, prompting: Prompting, cameras: Mapping[str, str]) -> tuple[str, ...]:
    """The prompts of a film in the order of their times, as written, each with the sentence of its camera."""
    prompts = (prompt, *(each.prompt for each in prompting.prompt_at))
    if prompting.camera is None:
        return prompts
    return tuple(with_camera(each, cameras[prompting.camera]) for each in prompts)
