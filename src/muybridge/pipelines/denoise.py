"""From noise to latents: the transformer as a Velocity, guided, followed by a sampler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from muybridge.core.seeding import noise
from muybridge.flow.guidance import classifier_free
from muybridge.flow.samplers import Velocity, sampler
from muybridge.flow.timesteps import inference_sigmas
from muybridge.pipelines.request import GenerationRequest
from muybridge.text.encoder import TextStates
from muybridge.transformer import Conditions, Transformer

OnStep = Callable[[], None]  # called once after each step of each sampler run


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


def network_velocity(transformer: Transformer, text: TextStates, *, guidance: float | None) -> Velocity:
    """The transformer under fixed text as a Velocity; it computes in its parameters' dtype, on their device.

    Raises InvalidInput through the transformer where text and weights do not match.
    """
    states, mask = _unpadded(text)
    conditions = Conditions(
        text=states.to(transformer.device, transformer.dtype),
        text_mask=None if mask is None else mask.to(transformer.device),
        pooled=text.pooled.to(transformer.device, transformer.dtype),
        guidance=None if guidance is None else torch.full((len(states),), guidance, device=transformer.device),
    )

    def velocity(x: Float[Tensor, "b c t h w"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b c t h w"]:
        return transformer(x, sigma, conditions)

    return velocity


def _unpadded(text: TextStates) -> tuple[Float[Tensor, "b l d"], Bool[Tensor, "b l"] | None]:
    """States up to the longest prompt, and the mask where prompts differ in length."""
    length = int(text.mask.sum(1).max())
    mask = text.mask[:, :length]
    return text.states[:, :length], None if bool(mask.all()) else mask


def guided_velocity(transformer: Transformer, prompts: Prompts, plan: Plan) -> Velocity:
    """The velocity of a plan: embedded guidance inside the network, classifier-free guidance around it."""
    conditional = network_velocity(transformer, prompts.positive, guidance=plan.guidance)
    if prompts.negative is None:
        return conditional
    unconditional = network_velocity(transformer, prompts.negative, guidance=plan.guidance)
    return classifier_free(conditional, unconditional, plan.cfg)


@torch.inference_mode()
def denoise(
    transformer: Transformer,
    prompts: Prompts,
    *,
    plan: Plan,
    seeds: Sequence[int],
    shape: tuple[int, int, int, int],
    on_step: OnStep | None = None,
) -> Float[Tensor, "b c t h w"]:
    """Latents (b, *shape), float32 on the transformer's device, at the scale the transformer is trained on.

    Noise comes from each film's own seed, on the CPU in float32 (DESIGN law 4).
    """
    velocity = guided_velocity(transformer, prompts, plan)
    sigmas = inference_sigmas(plan.num_steps, shift=plan.shift)
    report = None if on_step is None else lambda _index, _total, _x: on_step()
    return sampler(plan.sampler)(velocity, noise(seeds, shape).to(transformer.device), sigmas, report)
