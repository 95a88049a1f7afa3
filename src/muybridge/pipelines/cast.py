"""Which texts the network is run under in a run, at which of its noise levels, and how their velocities become one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from muybridge.flow.blend import blended, window_of
from muybridge.flow.evaluations import Evaluation, evaluations
from muybridge.flow.guidance import ClassifierFree, level
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.schedules import Scale, Schedule
from muybridge.pipelines.prompting.travel import travel_weights
from muybridge.pipelines.request import GenerationRequest
from muybridge.text.encoder import TextStates


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a batch is sampled; films of one batch differ in prompt and seed only.

    guidance and cfg are numbers or schedules, as `flow.schedules`; the last three as `flow.guidance.ClassifierFree`.
    """

    num_steps: int
    shift: float
    sampler: str
    guidance: float | str | None
    cfg: float | str
    rescale: float = 0.0
    is_optimised: bool = False
    zero_steps: int = 0

    @classmethod
    def of(cls, request: GenerationRequest) -> "Plan":
        """The plan of a request."""
        return cls(
            num_steps=request.num_steps,
            shift=request.shift,
            sampler=request.sampler,
            guidance=request.guidance,
            cfg=request.cfg,
            rescale=request.rescale,
            is_optimised=request.prompting.cfg_zero_star,
            zero_steps=request.prompting.zero_steps,
        )

    @property
    def guide(self) -> ClassifierFree:
        """Its classifier-free guidance."""
        scale = Schedule.of(self.cfg)
        return ClassifierFree(
            scale=scale, rescale=self.rescale, is_optimised=self.is_optimised, zero_steps=self.zero_steps
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Prompts:
    """Text states of a batch and, where classifier-free guidance is on, those it is guided away from.

    later: those that give way to each other after `positive`, by the `weights` of all of them in each latent frame.
    """

    positive: TextStates
    negative: TextStates | None
    later: tuple[TextStates, ...] = ()
    weights: Float[Tensor, "k t"] | None = None

    def texts(self) -> list[TextStates]:
        """What the network is run under: the prompts in order, then what they are guided away from."""
        return [self.positive, *self.later] + ([] if self.negative is None else [self.negative])

    def frames(self, text: int) -> slice:
        """The latent frames that the network sees under this one of `texts`."""
        if self.weights is None or text >= len(self.weights):
            return slice(None)
        return window_of(self.weights[text]).frames


@dataclass(frozen=True, slots=True)
class Role:
    """The network under one of the texts, by its index, and one embedded guidance."""

    text: int
    guidance: float | None


class Cast:
    """The roles of a network in one run: a schedule of embedded guidance makes one for each of its values."""

    def __init__(self, prompts: Prompts, plan: Plan, *, run: Sequence[Evaluation], sigmas: Float[Tensor, " n"]) -> None:
        """`run`: the evaluations of the sampler over `sigmas`. Raises InvalidInput on steps that are not among them."""
        self._prompts, self.run = prompts, run
        self._guided = plan.guide.over(sigmas)
        self._embedded = _embedded(plan.guidance, sigmas)
        asked = (role for each in run for role in self._at(each.sigma))
        self.roles: tuple[Role, ...] = tuple(dict.fromkeys(asked))

    def asked(
        self, levels: Callable[[float], Float[Tensor, "b *t"]]
    ) -> tuple[list[tuple[int, Tensor]], list[list[int]]]:
        """The step and the levels of every forward pass, and the roles, by their indices, that it is made in.

        levels: of a film and its frames, when the run is at a level.
        """
        passes: list[tuple[int, Tensor]] = []
        about: list[list[int]] = []
        for each in self.run:
            sigma = levels(each.sigma)
            for role in self._at(each.sigma):
                own = sigma if sigma.ndim == 1 else sigma[:, self.frames(role)]
                passes.append((each.step, own))
                about.append([self.roles.index(role)])
        return passes, about

    def frames(self, role: Role) -> slice:
        """The latent frames that are seen in a role."""
        return self._prompts.frames(role.text)

    def velocity(self, velocities: Sequence[Velocity]) -> Velocity:
        """The one velocity of the run, of the network's in each role: blended over time, then guided."""
        played = dict(zip(self.roles, velocities, strict=True))
        texts = [self._of_text(index, played) for index in range(self._num_texts)]
        conditional, weights = texts[0], self._prompts.weights
        if weights is not None:
            conditional = blended(texts[: len(weights)], weights)
        return self._guided.around(conditional, texts[-1])

    @cached_property
    def _num_texts(self) -> int:
        return len(self._prompts.texts())

    def _at(self, sigma: float) -> list[Role]:
        """The roles that are played at a level of the run."""
        has_negative = self._prompts.negative is not None
        num = self._num_texts - (1 if has_negative and self._guided.num_passes(sigma) < 2 else 0)
        return [] if self._guided.is_still(sigma) else [Role(text, self._embedded(sigma)) for text in range(num)]

    def _of_text(self, text: int, played: dict[Role, Velocity]) -> Velocity:
        """Of the role that this text has at the level that is asked for."""
        own = [role for role in self.roles if role.text == text]
        if len(own) == 1:
            return played[own[0]]
        return lambda x, sigma: played[Role(text, self._embedded(level(sigma)))](x, sigma)


def num_forwards(request: GenerationRequest) -> int:
    """Forward passes of the network for one film, those of prompts at times that see a part of it among them."""
    later = len(request.prompting.prompt_at)
    return sum(passes + later for passes in _passes(request))


def share_seen(request: GenerationRequest) -> float:
    """How much of a film's latent frames a forward pass sees, on the mean: each prompt at its time sees its own."""
    later = request.prompting.prompt_at
    if not later:
        return 1
    weights = travel_weights(later, num_frames=request.num_frames, fps=request.fps)
    seen = sum(window_of(weight).num_frames for weight in weights) / weights.shape[1]
    passes = _passes(request)
    return sum(seen + num - 1 for num in passes) / sum(len(weights) + num - 1 for num in passes)


def _passes(request: GenerationRequest) -> list[int]:
    """With one prompt, at each level of the run where there are any: one, or two where it is guided."""
    guided = Plan.of(request).guide.over(request.sigmas)
    made = (guided.num_passes(each.sigma) for each in evaluations(sampler(request.sampler), request.sigmas))
    return [num for num in made if num]


def _embedded(guidance: float | str | None, sigmas: Float[Tensor, " n"]) -> Callable[[float], float | None]:
    """The embedded scale at each level; none for weights without it."""
    if guidance is None:
        return lambda _sigma: None
    scale: Scale = Schedule.of(guidance).over(sigmas)
    return scale
