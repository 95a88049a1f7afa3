"""What a person chose, by the names of the command line, and what a model does where they chose nothing."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from itertools import chain
from typing import Any, Self

from muybridge.acceleration.caches.budget import Budget
from muybridge.core import config
from muybridge.core.errors import InvalidInput, WeightsError, invalid
from muybridge.core.shapes import nearest_frames
from muybridge.flow.schedules import Schedule
from muybridge.flow.timesteps import default_shift
from muybridge.pipelines.conditions.film import Direction, FilmConditions, Keyframe, keyframes_of
from muybridge.pipelines.conditions.media_ref import MediaRef
from muybridge.pipelines.conditions.reading import size_px
from muybridge.pipelines.long.film import LongFilm, Switch
from muybridge.pipelines.lora_use import LoraUse
from muybridge.pipelines.prompting.camera import RELEASED_CAMERAS, movement_of
from muybridge.pipelines.prompting.gentle import GENTLE_GUIDANCE, GENTLE_RESCALE, gentle_scale
from muybridge.pipelines.prompting.prompting import Prompting
from muybridge.pipelines.prompting.travel import PromptAt, opened, prompts_at
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.sizes import RELEASED_BUCKETS, bucket_size, format_size, parse_size, size_like
from muybridge.weights.catalog import CatalogueEntry

Prompt = str | Mapping[int | float | str, str]  # one, or {time: prompt}
RANDOM_SEEDS = 1_000_000  # as the released code draws them
DYNAMIC_SHIFT = 17.0  # released, of image to video without --i2v-stability


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """How a model is run where the user says nothing; the values here are those of the released text-to-video model.

    guidance: the embedded scale, None for weights without it. negative: what classifier-free guidance turns away from.
    longest: frames of the longest film that is made whole, 0 for any; longer ones are made `window` frames at a time.
    native_sizes: the (width, height) the model was trained for, by preset. buckets: of a model that was made for
    pictures, by preset, the side of the square that its films have the area of, the usual one first. cameras: the
    movements that it was trained on, each with the sentence that names it.
    """

    width: int = 1280
    height: int = 720
    frames: int = 129
    fps: int = 24
    steps: int = 50
    shift: float = 7.0
    guidance: float | str | None = 6.0
    cfg: float | str = 1.0
    sampler: str = "euler"
    steady: float = 0.0
    longest: int = 0
    window: int = 0
    negative: str = ""
    native_sizes: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    buckets: Mapping[str, int] = field(default_factory=dict)
    cameras: Mapping[str, str] = field(default_factory=lambda: RELEASED_CAMERAS)

    @classmethod
    def of(
        cls,
        entry: CatalogueEntry,
        *,
        has_guidance: bool,
        negative: str,
        has_buckets: bool = False,
        cameras: Mapping[str, str] = RELEASED_CAMERAS,
    ) -> Self:
        """Those of a model; `negative` where its entry has none. Raises WeightsError where the entry's do not hold."""
        try:
            found = config.from_dict(cls, {"negative": negative, **entry.defaults})
            GenerationRequest(prompt="any", **found.request_fields())
        except InvalidInput as error:
            raise WeightsError(f"{entry.name}: its defaults do not hold: {error}") from None
        guidance = found.guidance if has_guidance else None
        buckets = RELEASED_BUCKETS if has_buckets else {}
        return replace(found, guidance=guidance, native_sizes=entry.native_sizes, buckets=buckets, cameras=cameras)

    def shift_for(self, num_steps: Any) -> float:
        """The model's shift, or the paper's for another number of steps where the model follows the paper."""
        is_sound = isinstance(num_steps, int) and not isinstance(num_steps, bool) and num_steps >= 1
        if not is_sound or self.shift != default_shift(self.steps):
            return self.shift
        return default_shift(num_steps)

    def request_fields(self) -> dict[str, Any]:
        """By the names of a request."""
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
    window, context, riflex: as `LongFilm`; 0 for none. seconds: instead of frames, the nearest number that films have.
    """

    negative: str | None = None
    size: str | None = None
    aspect: str | None = None
    frames: int | None = None
    seconds: float | None = None
    fps: int | None = None
    steps: int | None = None
    shift: float | None = None
    guidance: float | str | None = None
    cfg: float | str | None = None
    rescale: float | None = None
    cfg_zero_star: bool | None = None
    zero_steps: int | None = None
    camera: str | None = None
    prompt_at: tuple[PromptAt, ...] | None = None
    seed: int | Sequence[int] | None = None
    sampler: str | None = None
    loras: tuple[LoraUse, ...] | None = None
    steady: float | None = None
    quality: str | None = None
    speed: str | None = None
    image: MediaRef | None = None
    last_image: MediaRef | None = None
    keyframes: tuple[Keyframe, ...] | None = None
    video: MediaRef | None = None
    strength: float | None = None
    mask: MediaRef | None = None
    extend: MediaRef | None = None
    direction: Direction | None = None
    overlap: int | None = None
    loop: bool | None = None
    dynamic: bool | None = None
    window: int | None = None
    context: int | None = None
    riflex: Switch | None = None

    @classmethod
    def of(cls, chosen: Mapping[str, Any]) -> Self:
        """The choices among the arguments of a call, which may hold others; words become what they mean.

        Raises InvalidInput on words that mean nothing.
        """
        names = {field.name for field in fields(cls)}
        given = {name: value for name, value in chosen.items() if name in names and value is not None}
        return cls(**{name: MEANINGS[name](value) if name in MEANINGS else value for name, value in given.items()})

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> Self:
        """The choices recorded with a result; entries of other names are passed over. Raises InvalidInput."""
        names = {field.name for field in fields(cls)} - {"aspect"}
        found = config.from_dict(cls, {name: value for name, value in values.items() if name in names})
        for name in SCALES:
            if (scale := getattr(found, name)) is not None:
                Schedule.named(name, scale)
        return found

    def over(self, other: "Settings") -> "Settings":
        """These choices, and `other`'s where nothing was chosen here."""
        chosen = {field.name: _first(getattr(self, field.name), getattr(other, field.name)) for field in fields(self)}
        if self.aspect is not None:
            chosen["size"] = self.size
        if self.seconds is not None:
            chosen["frames"] = self.frames
        if self.quality is not None or self.speed is not None:
            chosen |= {"quality": self.quality, "speed": self.speed}
        if _is_on(self.cfg) and not _is_on(other.cfg):  # what was right without it would burn with it
            chosen |= {"guidance": self.guidance, "rescale": self.rescale}
        return Settings(**chosen)

    def identified(self) -> Self:
        """With the full path and hash of every picture and film. Raises InvalidInput where one is absent or another."""
        names = [each.name for each in fields(FilmConditions)]
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if not given:
            return self
        found = FilmConditions(**given).identified()
        return replace(self, **{name: getattr(found, name) for name in given})

    def requests(self, prompts: Sequence[Prompt], defaults: Defaults) -> list[GenerationRequest]:
        """One checked request for each prompt. Seeds not chosen are drawn here, so that the request records them.

        Raises InvalidInput on a value that breaks a rule.
        """
        if self.seconds is not None:
            self = replace(self, frames=self._frames_of(_first(self.fps, defaults.fps)), seconds=None)
        if self.camera is not None:
            self = replace(self, camera=movement_of(self.camera, defaults.cameras))
        seeds = _seeds(self.seed, len(prompts))
        plain: dict[str, Any] = self._plain() | {"long": self._long(defaults)}
        shared = defaults.request_fields() | plain | self._derived(defaults, plain["conditions"])
        requests: list[GenerationRequest] = []
        for (prompt, later), seed in zip(map(opened, prompts), seeds, strict=True):
            said = {} if later is None else {"prompting": replace(plain["prompting"], prompt_at=later)}
            requests.append(GenerationRequest(prompt=prompt, seed=seed, **shared | said))
        return requests

    def _frames_of(self, fps: int) -> int:
        """The number of frames, 4n+1, that is nearest to the seconds."""
        seconds = self.seconds
        if self.frames is not None:
            raise invalid("seconds and frames", "each says how long the film is", "leave one out")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
            raise invalid(f"seconds={seconds!r}", "is a length above 0", "use 5")
        return nearest_frames(seconds * fps)

    def _long(self, defaults: Defaults) -> LongFilm:
        """In windows where that was chosen or the film is longer than the model makes whole; only what acts on it."""
        frames, context = _first(self.frames, defaults.frames), self.context or 0
        is_usual = not context and isinstance(frames, int) and 0 < defaults.longest < frames
        window = _first(self.window, defaults.window if is_usual else 0)
        return LongFilm(window=window, context=context, riflex=self.riflex or "auto").acting(frames)

    def _plain(self) -> dict[str, Any]:
        """What was chosen and goes into a request as it is, or into a group of its fields."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in DERIVED}
        plain = {REQUEST_NAMES.get(name, name): value for name, value in chosen.items() if value is not None}
        grouped: dict[str, Any] = {}
        for group, kind in GROUPS.items():
            grouped[group] = kind(**{each.name: plain.pop(each.name) for each in fields(kind) if each.name in plain})
        return plain | grouped

    def _derived(self, defaults: Defaults, conditions: FilmConditions) -> dict[str, Any]:
        """What depends on more than one choice."""
        width, height = self._size(defaults, conditions.leading)
        usual_shift = DYNAMIC_SHIFT if conditions.dynamic else defaults.shift_for(_first(self.steps, defaults.steps))
        budget = Budget.of(quality=self.quality, speed=self.speed)
        is_guided = _is_on(_first(self.cfg, defaults.cfg))
        return {
            "width": width,
            "height": height,
            "shift": _first(self.shift, usual_shift),
            "negative_prompt": self.negative or (defaults.negative if is_guided else ""),
            "budget": None if budget is None else str(budget),
            **self._guiding(
                defaults, is_gentle=is_guided and defaults.guidance is not None and not _is_on(defaults.cfg)
            ),
        }

    def _size(self, defaults: Defaults, lead: tuple[str, MediaRef] | None) -> tuple[int, int]:
        """Width and height; without an aspect of its own the film takes that of the picture or film that leads it."""
        default, size = (defaults.width, defaults.height), self.size
        if lead is not None and self.aspect is None:
            preset = size or next(iter(defaults.buckets), None)
            if preset is not None and preset in defaults.buckets:
                return bucket_size(size_px(lead[1]), defaults.buckets[preset])
            if size is None:
                default = size_like(size_px(lead[1]), default=default, native=defaults.native_sizes)
        return parse_size(size, self.aspect, default=default, native=defaults.native_sizes)

    def _guiding(self, defaults: Defaults, *, is_gentle: bool) -> dict[str, Any]:
        """Guidance of both kinds; gentle where weights that embed one, and are run with it alone, are asked for the
        other (`prompting.gentle`). Weights that are run with both stay as they are run.
        """
        cfg, guidance = _first(self.cfg, defaults.cfg), _first(self.guidance, defaults.guidance)
        if not is_gentle:
            scales = {"cfg": _plain_scale(cfg), "guidance": None if guidance is None else _plain_scale(guidance)}
            return scales | {"rescale": _first(self.rescale, 0.0)}
        return {
            "cfg": gentle_scale(cfg),
            "guidance": _plain_scale(_first(self.guidance, GENTLE_GUIDANCE)),
            "rescale": _first(self.rescale, GENTLE_RESCALE),
        }


SCALES = ("guidance", "cfg")  # numbers or the words of a schedule


def _scale(name: str, given: Any) -> Any:
    """As given, once it is known to be one. Raises InvalidInput, which names the option."""
    Schedule.named(name, given)
    return given


# What a word, a path or a picture of the surface means, by the names of `Settings`.
MEANINGS: Mapping[str, Callable[[Any], Any]] = {
    "loras": lambda given: tuple(map(LoraUse.of, given)),
    "keyframes": keyframes_of,
    "prompt_at": prompts_at,
    **dict.fromkeys(("image", "last_image", "video", "mask", "extend"), MediaRef.of),
    **{name: partial(_scale, name) for name in SCALES},
}
# Fields of a request that are dataclasses themselves: the choices of one subject, by the same names as here.
GROUPS: Mapping[str, type] = {"conditions": FilmConditions, "prompting": Prompting, "long": LongFilm}
# Where a request's field has a longer name than the choice.
REQUEST_NAMES = {"frames": "num_frames", "steps": "num_steps"}
# Choices that become a field of the request together with others, or with the model's defaults...
DERIVED = {"size", "aspect", "negative", "shift", "guidance", "cfg", "rescale", "quality", "speed", "seed"}
# ...and what they become, with what is recorded only where it acts.
BECOME = {"width", "height", "negative_prompt", "budget", "loras", *GROUPS}


def settings_of(request: GenerationRequest) -> dict[str, Any]:
    """The request by the names of `Settings` and the prompt: what is recorded with a result."""
    names = {name: short for short, name in REQUEST_NAMES.items()}
    plain = {names.get(name, name): getattr(request, name) for name in request.names() if name not in BECOME}
    plain |= {"negative": request.negative_prompt, "size": format_size(request.width, request.height)}
    loras = {"loras": [config.to_dict(use) for use in request.loras]} if request.loras else {}
    budget = {} if request.budget is None else Budget.parse(request.budget).options()
    groups = [config.changes(getattr(request, group)) for group in GROUPS]
    return plain | loras | budget | dict(chain.from_iterable(group.items() for group in groups))


def _is_on(cfg: Any) -> bool:
    return cfg is not None and not Schedule.of(cfg).is_off


def _plain_scale(scale: Any) -> float | str:
    return Schedule.of(scale).plain


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
