"""From noise to latents: the transformer as a Velocity, guided, followed by a sampler."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.modulation import AtStep, evicted_modulation
from muybridge.core.seeding import noise
from muybridge.flow.evaluations import evaluations
from muybridge.flow.guidance import classifier_free
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Start, Starts
from muybridge.pipelines.step_cache import StepCache
from muybridge.text.encoder import TextStates
from muybridge.transformer import Conditions, Transformer

OnStep = Callable[[], None]  # called once after each step of each sampler run
Wrap = Callable[[Velocity], Velocity]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How a batch is sampled; films of one batch differ in prompt and seed only."""

    num_steps: int
    shift: float
    sampler: str
    guidance: float | None
    cfg: float

    @classmethod
    def of(cls, request: GenerationRequest) -> "Plan":
        """The plan of a request."""
        return cls(
            num_steps=request.num_steps,
            shift=request.shift,
            sampler=request.sampler,
            guidance=request.guidance,
            cfg=request.cfg,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompts:
    """Text states of a batch and, where classifier-free guidance is on, those it is guided away from."""

    positive: TextStates
    negative: TextStates | None

    def texts(self) -> list[TextStates]:
        """What the network is run under, the prompts first."""
        return [self.positive] if self.negative is None else [self.positive, self.negative]


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What acts on the transformer from outside while it denoises.

    evicts_modulation: as `acceleration.modulation`; it changes no bit on a CPU. at_step: makes the transformer that of
    a sampler step, from 1, where steps differ. cache: predicts steps within its budget, and reports what it came to.
    record: keeps what is computed, or finds it. watch: sees what the sampler sees.
    """

    evicts_modulation: bool = True
    at_step: AtStep | None = None
    cache: StepCache | None = None
    record: Wrap | None = None
    watch: Wrap | None = None


def conditions_of(transformer: Transformer, text: TextStates, *, guidance: float | None) -> Conditions:
    """What the transformer is told, where and in the dtype that it computes; the mask stays on the host.

    There the transformer reads it in every step, which must not wait for the device.
    """
    mask = text.mask.cpu()
    length = int(mask.sum(1).max())  # of the longest prompt
    num, device = len(mask), transformer.device
    return Conditions(
        text=text.states[:, :length].to(device, transformer.dtype),
        text_mask=None if mask[:, :length].all() else mask[:, :length],
        pooled=text.pooled.to(device, transformer.dtype),
        guidance=None if guidance is None else torch.full((num,), guidance, device=device),
    )


def network_velocity(transformer: Transformer, text: TextStates, *, guidance: float | None) -> Velocity:
    """The transformer under fixed text as a Velocity; it computes in its parameters' dtype, on their device.

    Raises InvalidInput through the transformer where text and weights do not match.
    """
    return partial(_network, transformer, conditions_of(transformer, text, guidance=guidance))


def guided_velocity(transformer: Transformer, prompts: Prompts, plan: Plan) -> Velocity:
    """The velocity of a plan: embedded guidance inside the network, classifier-free guidance around it."""
    return _guided([network_velocity(transformer, text, guidance=plan.guidance) for text in prompts.texts()], plan)


@torch.inference_mode()
def denoise(
    transformer: Transformer,
    prompts: Prompts,
    *,
    plan: Plan,
    seeds: Sequence[int],
    shape: tuple[int, int, int, int],
    starts: Sequence[Start] | None = None,
    means: Means | None = None,
    on_step: OnStep | None = None,
) -> Float[Tensor, "b c t h w"]:
    """Latents (b, *shape), float32 on the transformer's device, at the scale the transformer is trained on.

    Noise comes from each film's own seed, on the CPU in float32 (DESIGN law 4). starts: one for each film where they
    start from more than noise. The velocity is the network's, then, from the inside out: beside its own channels,
    guided, held and pinned, recorded, cached, watched; so a cache predicts, and accounts for, only what is made.
    Raises InvalidInput where the starts of a batch do not go together.
    """
    means = means or Means()
    begin = Starts(starts, noise(seeds, shape).to(transformer.device))
    solve, sigmas = sampler(plan.sampler), inference_sigmas(plan.num_steps, shift=plan.shift, strength=begin.strength)
    conditions = [conditions_of(transformer, text, guidance=plan.guidance) for text in prompts.texts()]
    asked = [(each.step, begin.levels(each.sigma)) for each in evaluations(solve, sigmas)]
    if means.evicts_modulation:
        prepared = evicted_modulation(transformer, conditions, asked, at_step=means.at_step)
    else:
        prepared = _plain(transformer, conditions, means.at_step)
    with prepared as (velocities, to_step):

        def report(index: int, _total: int, _x: Tensor) -> None:
            to_step(index + 2)
            if on_step is not None:
                on_step()

        velocity = begin.around(_guided([begin.inside(velocity) for velocity in velocities], plan))
        if means.record is not None:
            velocity = means.record(velocity)
        if means.cache is not None:
            velocity = means.cache.around(velocity, solve, sigmas=sigmas)
        if means.watch is not None:
            velocity = means.watch(velocity)
        return begin.landed(solve(velocity, begin.x(float(sigmas[0])), sigmas, report))


@contextmanager
def _plain(
    transformer: Transformer, conditions: Sequence[Conditions], at_step: AtStep | None
) -> Iterator[tuple[list[Velocity], AtStep]]:
    """The network as it is, in the form of `evicted_modulation`."""
    yield [partial(_network, transformer, given) for given in conditions], at_step or (lambda _step: None)


def _network(transformer: Transformer, conditions: Conditions, x: Tensor, sigma: Tensor) -> Tensor:
    return transformer(x, sigma, conditions)


def _guided(velocities: Sequence[Velocity], plan: Plan) -> Velocity:
    """Of the conditional and, where there is one, the unconditional velocity."""
    return velocities[0] if len(velocities) == 1 else classifier_free(velocities[0], velocities[1], plan.cfg)
