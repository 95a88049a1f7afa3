"""What a person asks for: one film or picture, checked before any work starts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.caches.budget import Budget
from muybridge.core import config
from muybridge.core.errors import invalid
from muybridge.core.seeding import MAX_SEED
from muybridge.core.shapes import TEMPORAL_RATIO, check_num_frames, check_size
from muybridge.flow.samplers import sampler
from muybridge.flow.schedules import Schedule
from muybridge.flow.timesteps import inference_sigmas, steps_left
from muybridge.pipelines.conditions.film import FilmConditions
from muybridge.pipelines.long.film import LongFilm
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.prompting.prompting import Prompting, check_weights

SIZE_MULTIPLE_PX = 16  # released: 8 px per latent cell, 2 cells per token
MAX_SIDE_PX = 8192  # convention: far beyond any trained size; memory decides well before
MAX_FRAMES = 2049  # convention, as above; of one window, where a film is made in several
MAX_STREAM = 10**9 + 1  # frames; without end, but for whoever asks for it
MAX_STEPS = 1000  # convention: the training grid of the released scheduler
MAX_FPS = 240  # convention
MAX_PROMPT_CHARACTERS = 4096  # convention: the released encoder reads about 1,200


@dataclass(frozen=True, kw_only=True, slots=True)
class GenerationRequest:
    """One film, or one picture where num_frames is 1. Defaults are those of the released text-to-video model.

    width and height in px, multiples of 16; num_frames 4n+1; shift bends the noise levels (Paper 5.1); guidance is
    the embedded kind, None for weights without it; cfg is true classifier-free guidance, off at 1, against
    negative_prompt; either is a number or a schedule (`flow.schedules`), and rescale keeps the spread of the film under
    the prompt alone (`flow.guidance`). steady averages decoded frames along their motion (`vae.steady`), off at 0.
    budget, such as psnr>=32 or speed=2x, lets steps be predicted (`acceleration.caches`); None computes them all.
    conditions: pictures and films that it is made from. prompting: what is said beside the prompt. long: how a film
    beyond the trained length is made.

    Raises InvalidInput, naming the value, the rule and a value that would do.
    """

    prompt: str
    negative_prompt: str = ""
    width: int = 1280
    height: int = 720
    num_frames: int = 129
    fps: int = 24
    num_steps: int = 50
    shift: float = 7.0
    guidance: float | str | None = 6.0
    cfg: float | str = 1.0
    rescale: float = 0.0
    seed: int = 0
    sampler: str = "euler"
    loras: tuple[LoraUse, ...] = ()
    steady: float = 0.0
    budget: str | None = None
    conditions: FilmConditions = FilmConditions()
    prompting: Prompting = Prompting()
    long: LongFilm = LongFilm()

    def __post_init__(self) -> None:
        _check_text("prompt", self.prompt, may_be_empty=False)
        _check_text("negative_prompt", self.negative_prompt, may_be_empty=True)
        self._check_shape()
        _check_whole("fps", self.fps, 1, MAX_FPS, remedy="use 24")
        _check_whole("num_steps", self.num_steps, 1, MAX_STEPS, remedy="use 50")
        _check_whole("seed", self.seed, 0, MAX_SEED, remedy="use 0")
        self._check_scales()
        _check_text("sampler", self.sampler, may_be_empty=False)
        sampler(self.sampler)
        self._check_prompting()
        for use in self.loras:
            use.check_num_steps(self.steps_taken)
        if self.budget is not None:
            Budget.parse(self.budget)
        self.conditions.check(num_frames=self.num_frames, fps=self.fps)
        self._check_long()

    @property
    def sigmas(self) -> Float[Tensor, "n"]:
        """The noise levels of its run."""
        return inference_sigmas(self.num_steps, shift=self.shift, strength=self.conditions.share)

    @property
    def sampled_frames(self) -> int:
        """Frames whose latents are sampled: the circle of a loop has none that stands for one frame alone."""
        return self.num_frames - TEMPORAL_RATIO if self.conditions.loop else self.num_frames

    @property
    def steps_taken(self) -> int:
        """Sampler steps: fewer than num_steps where a given film is half-way there."""
        return steps_left(self.num_steps, self.conditions.share)

    @property
    def is_guided(self) -> bool:
        """Whether classifier-free guidance acts, and with it the negative prompt."""
        return not Schedule.of(self.cfg).is_off

    @property
    def is_streamed(self) -> bool:
        """Whether it is made window by window."""
        return isinstance(self.num_frames, int) and self.long.streams(self.num_frames)

    @property
    def is_picture(self) -> bool:
        """True for a single frame."""
        return self.num_frames == 1

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready dict that `from_dict` takes back."""
        return config.to_dict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The request in `values`; raises InvalidInput on an unknown or wrong field."""
        return config.from_dict(cls, values)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the fields, in order."""
        return tuple(field.name for field in fields(cls))

    def _check_shape(self) -> None:
        for name, side in (("width", self.width), ("height", self.height)):
            _check_whole(name, side, 1, MAX_SIDE_PX, remedy=f"use at most {MAX_SIDE_PX}")
        check_size(self.width, self.height, multiple=SIZE_MULTIPLE_PX)
        remedy = "use 1 for a picture or 33 for a film; --window makes films of any length"
        _check_whole("num_frames", self.num_frames, 1, MAX_STREAM if self.is_streamed else MAX_FRAMES, remedy=remedy)
        check_num_frames(self.num_frames)

    def _check_long(self) -> None:
        """Raises InvalidInput where the film's other choices need it whole, or at once."""
        is_split = self.is_streamed or self.long.context_latents(self.num_frames) is not None
        if is_split and self.prompting.prompt_at:
            remedy = "make it whole with window=0 and context=0, or leave prompt_at out"
            raise invalid("prompt_at with a film in windows", "each window has one prompt", remedy)
        if self.is_streamed and (given := [name for name, _ in self.conditions.media() if name != "image"]):
            rule = f"only its beginning is known when a film is made {self.long.window} frames at a time"
            raise invalid(f"{given[0]} with frames={self.num_frames}", rule, "use window=0, or image alone")
        if self.is_streamed and self.conditions.loop:
            rule = "its end is not known when it begins"
            raise invalid(f"loop with frames={self.num_frames}", rule, f"use {self.long.window} frames, or window=0")

    def _check_scales(self) -> None:
        if _number("shift", self.shift) <= 0:
            raise invalid(f"shift={self.shift}", "must be above 0", "use 7 for 50 steps or 17 below 20 steps")
        if self.guidance is not None:
            _check_scale("guidance", self.guidance, least=0, num_steps=self.steps_taken, rule="must be 0 or above")
        _check_scale("cfg", self.cfg, least=1, num_steps=self.steps_taken, rule="must be 1 (off) or above")
        if not 0 <= _number("rescale", self.rescale) <= 1:
            raise invalid(f"rescale={self.rescale}", "lies within 0 (off) and 1", "use 0.7")
        if _number("steady", self.steady) < 0:
            raise invalid(f"steady={self.steady}", "must be 0 (off) or above", "use 0.2")
        if self.negative_prompt and not self.is_guided:
            remedy = "add cfg above 1, such as 6, or leave the negative prompt out"
            raise invalid("negative_prompt with cfg=1", "it acts only with classifier-free guidance", remedy)

    def _check_prompting(self) -> None:
        self.prompting.check(num_frames=self.num_frames, fps=self.fps, num_steps=self.steps_taken)
        if self.conditions.loop and self.prompting.prompt_at:
            raise invalid("prompt_at with loop", "the last prompt would meet the first", "leave one out")
        later = [each.prompt for each in self.prompting.prompt_at]
        for prompt in later:
            _check_text("prompt", prompt, may_be_empty=False)
        check_weights(self.prompt, self.negative_prompt, *later)


def _check_text(name: str, text: Any, *, may_be_empty: bool) -> None:
    if not isinstance(text, str):
        raise invalid(f"{name}={text!r}", "needs text", "give a string")
    if not may_be_empty and not text.strip():
        raise invalid(f"{name}={text!r}", "is empty", "say what the film should show")
    if len(text) > MAX_PROMPT_CHARACTERS:
        rule = f"at most {MAX_PROMPT_CHARACTERS} characters are taken"
        raise invalid(f"{name} of {len(text)} characters", rule, "shorten it")
    if any(0xD800 <= ord(letter) <= 0xDFFF or letter == "\0" for letter in text):
        raise invalid(name, "holds bytes that are not UTF-8 text", "write it as UTF-8")


def _check_whole(name: str, value: Any, low: int, high: int, *, remedy: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"{name}={value!r}", "needs a whole number", remedy)
    if not low <= value <= high:
        raise invalid(f"{name}={value}", f"must be from {low} to {high}", remedy)


def _check_scale(name: str, scale: float | str, *, least: float, num_steps: int, rule: str) -> None:
    schedule = Schedule.named(name, scale)
    if min(schedule.start, schedule.end) < least:
        raise invalid(f"{name}={scale}", rule, "use 6, or 1 for none")
    schedule.check_steps_within(num_steps, name=name)


_USUAL = {"shift": "use 7", "steady": "use 0.2", "rescale": "use 0.7"}


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise invalid(f"{name}={value!r}", "needs a finite number", _USUAL.get(name, "use 6"))
    return float(value)
