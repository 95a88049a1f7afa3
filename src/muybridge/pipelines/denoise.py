"""From noise to latents: the transformer as a Velocity, guided, followed by a sampler."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.modulation import AtStep, evicted_modulation
from muybridge.core.seeding import noise
from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.pipelines.cast import Cast, Plan, Prompts
from muybridge.pipelines.long.context import Context, Seen
from muybridge.pipelines.start import Start, Starts
from muybridge.pipelines.step_cache import StepCache
from muybridge.text.encoder import TextStates
from muybridge.transformer import Conditions, Transformer

OnStep = Callable[[], None]  # called once after each step of each sampler run
Wrap = Callable[[Velocity], Velocity]
Prepare = Callable[..., AbstractContextManager[tuple[list[Velocity], AtStep]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What acts on the transformer from outside while it denoises.

    evicts_modulation: as `acceleration.modulation`; it changes no bit on a CPU. at_step: makes the transformer that of
    a sampler step, from 1, where steps differ. cache: predicts steps within its budget, and reports what it came to.
    record: keeps what is computed, or finds it. watch: sees what the sampler sees. prepare: the network in the form of
    `evicted_modulation`, where it is not this film's alone (`pipelines.together`). context: the latent frames that the
    network sees at a time, and those that neighbours share; None shows it the whole film.
    """

    evicts_modulation: bool = True
    at_step: AtStep | None = None
    cache: StepCache | None = None
    record: Wrap | None = None
    watch: Wrap | None = None
    prepare: Prepare | None = None
    context: Context | None = None


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
    sigmas, texts = inference_sigmas(plan.num_steps, shift=plan.shift), prompts.texts()
    cast = Cast(prompts, plan, run=evaluations(sampler(plan.sampler), sigmas), sigmas=sigmas)
    played = [network_velocity(transformer, texts[role.text], guidance=role.guidance) for role in cast.roles]
    return cast.velocity(played)


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
    blended where prompts follow each other, guided, held and pinned, recorded, cached, watched; so a cache predicts,
    and accounts for, only what is made.
    Raises InvalidInput where the starts of a batch do not go together.
    """
    means = means or Means()
    share = starts[0].strength if starts else 1.0
    solve, sigmas = sampler(plan.sampler), inference_sigmas(plan.num_steps, shift=plan.shift, strength=share)
    begin = Starts(starts, noise(seeds, shape).to(transformer.device), sigmas=sigmas)
    cast, texts = Cast(prompts, plan, run=evaluations(solve, sigmas), sigmas=sigmas), prompts.texts()
    conditions = [conditions_of(transformer, texts[role.text], guidance=role.guidance) for role in cast.roles]
    seen = Seen.of(means.context, num_frames=shape[1], sigmas=sigmas)
    asked, about = seen.asked(cast, begin)
    prepare = means.prepare or partial(evicted_modulation if means.evicts_modulation else _plain, transformer)
    with prepare(conditions, asked, about=about, at_step=means.at_step) as (velocities, to_step):

        def report(index: int, _total: int, _x: Tensor) -> None:
            to_step(index + 2)
            if on_step is not None:
                on_step()

        velocity = begin.around(seen.velocity(cast, begin, velocities))
        if means.record is not None:
            velocity = means.record(velocity)
        if means.cache is not None:
            velocity = means.cache.around(velocity, solve, sigmas=sigmas)
        if means.watch is not None:
            velocity = means.watch(velocity)
        return begin.landed(solve(velocity, begin.x(), sigmas, report))


@contextmanager
def _plain(
    transformer: Transformer,
    conditions: Sequence[Conditions],
    _asked: Sequence[tuple[int, Tensor]],
    *,
    about: Sequence[Sequence[int]],  # noqa: ARG001 (as `evicted_modulation`)
    at_step: AtStep | None,
) -> Iterator[tuple[list[Velocity], AtStep]]:
    """The network as it is, in the form of `evicted_modulation`."""
    yield [partial(_network, transformer, given) for given in conditions], at_step or (lambda _step: None)


def _network(transformer: Transformer, conditions: Conditions, x: Tensor, sigma: Tensor) -> Tensor:
    return transformer(x, sigma, conditions)
