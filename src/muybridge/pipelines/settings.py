"""What a person chose, by the names of the command line, and what a model does where they chose nothing."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from muybridge.acceleration.caches.budget import Budget
from muybridge.core import config
from muybridge.core.errors import InvalidInput, WeightsError, invalid
from muybridge.flow.timesteps import default_shift
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.sizes import format_size, parse_size
from muybridge.weights.catalog import CatalogueEntry

RANDOM_SEEDS = 1_000_000  # as the released code draws them


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """How a model is run where the user says nothing; the values here are those of the released text-to-video model.

    guidance: the embedded scale, None for weights without it. negative: what classifier-free guidance turns away from.
    native_sizes: the (width, height) the model was trained for, by preset.
    """

    width: int = 1280
    height: int = 720
    frames: int = 129
    fps: int = 24
    steps: int = 50
    shift: float = 7.0
    guidance: float | None = 6.0
    cfg: float = 1.0
    sampler: str = "euler"
    steady: float = 0.0
    negative: str = ""
    native_sizes: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, entry: CatalogueEntry, *, has_guidance: bool, negative: str) -> Self:
        """Those of a model; `negative` where its entry has none. Raises WeightsError where the entry's do not hold."""
        try:
            found = config.from_dict(cls, {"negative": negative, **entry.defaults})
            GenerationRequest(prompt="any", **found._request_fields())
        except InvalidInput as error:
            raise WeightsError(f"{entry.name}: its defaults do not hold: {error}") from None
        guidance = found.guidance if has_guidance else None
        return replace(found, guidance=guidance, native_sizes=entry.native_sizes)

    def shift_for(self, num_steps: Any) -> float:
        """The model's shift, or the paper's for another number of steps where the model follows the paper."""
        is_sound = isinstance(num_steps, int) and not isinstance(num_steps, bool) and num_steps >= 1
        if not is_sound or self.shift != default_shift(self.steps):
            return self.shift
        return default_shift(num_steps)

    def _request_fields(self) -> dict[str, Any]:
        return {
            "width": self.width,
            "height": self.height,
            "num_frames": self.frames,
            "fps": self.fps,
            "num_steps": self.steps,
            "shift": self.shift,
            "guidance": self.guidance,
            "cfg": self.cfg,
            "sampler": self.sampler,
            "steady": self.steady,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The choices of one call; None leaves one to the model. seed: one for all (film i gets seed + i) or one each.

    quality: such as psnr>=32, against the film without it; speed: such as 2x. Either lets steps be predicted.
    """

    negative: str | None = None
    size: str | None = None
    aspect: str | None = None
    frames: int | None = None
    fps: int | None = None
    steps: int | None = None
    shift: float | None = None
    guidance: float | None = None
    cfg: float | None = None
    seed: int | Sequence[int] | None = None
    sampler: str | None = None
    loras: tuple[LoraUse, ...] | None = None
    steady: float | None = None
    quality: str | None = None
    speed: str | None = None

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> Self:
        """The choices recorded with a result; entries of other names are passed over. Raises InvalidInput."""
        names = {field.name for field in fields(cls)} - {"aspect"}
        return config.from_dict(cls, {name: value for name, value in values.items() if name in names})

    def over(self, other: "Settings") -> "Settings":
        """These choices, and `other`'s where nothing was chosen here."""
        chosen = {field.name: _first(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        if self.aspect is not None:
            chosen["size"] = self.size
        if self.quality is not None or self.speed is not None:
            chosen |= {"quality": self.quality, "speed": self.speed}
        return Settings(**chosen)

    def requests(self, prompts: Sequence[str], defaults: Defaults) -> list[GenerationRequest]:
        """One checked request for each prompt. Seeds not chosen are drawn here, so that the request records them.

        Raises InvalidInput on a value that breaks a rule.
        """
        seeds = _seeds(self.seed, len(prompts))
        width, height = parse_size(
            self.size, self.aspect, default=(defaults.width, defaults.height), native=defaults.native_sizes
        )
        steps = _first(self.steps, defaults.steps)
        cfg = _first(self.cfg, defaults.cfg)
        budget = Budget.of(quality=self.quality, speed=self.speed)
        return [
            GenerationRequest(
                prompt=prompt,
                negative_prompt=self.negative or (defaults.negative if cfg != 1 else ""),
                width=width,
                height=height,
                num_frames=_first(self.frames, defaults.frames),
                fps=_first(self.fps, defaults.fps),
                num_steps=steps,
                shift=_first(self.shift, defaults.shift_for(steps)),
                guidance=_first(self.guidance, defaults.guidance),
                cfg=cfg,
                seed=seed,
                sampler=_first(self.sampler, defaults.sampler),
                loras=self.loras or (),
                steady=_first(self.steady, defaults.steady),
                budget=None if budget is None else str(budget),
            )
            for prompt, seed in zip(prompts, seeds, strict=True)
        ]


def settings_of(request: GenerationRequest) -> dict[str, Any]:
    """The request by the names of `Settings` and the prompt: what is recorded with a result."""
    loras = {"loras": [config.to_dict(use) for use in request.loras]} if request.loras else {}
    return {
        "prompt": request.prompt,
        "negative": request.negative_prompt,
        "size": format_size(request.width, request.height),
        "frames": request.num_frames,
        "fps": request.fps,
        "steps": request.num_steps,
        "shift": request.shift,
        "guidance": request.guidance,
        "cfg": request.cfg,
        "seed": request.seed,
        "sampler": request.sampler,
        **loras,
        "steady": request.steady,
        **({} if request.budget is None else Budget.parse(request.budget).options()),
    }


def _first(chosen: Any, otherwise: Any) -> Any:
    return otherwise if chosen is None else chosen


def _seeds(seed: int | Sequence[int] | None, num: int) -> list[int]:
    if seed is None:
        return [secrets.randbelow(RANDOM_SEEDS) for _ in range(num)]
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        if len(seed) == num:
            return list(seed)
        raise invalid(f"{len(seed)} seeds for {num} prompts", "give one for all or one each", "change the seeds")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise invalid(f"seed={seed!r}", "needs a whole number", "use 0")
    return [seed + index for index in range(num)]
