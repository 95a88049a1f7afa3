"""Classifier-free guidance: wrappers that turn the velocities under a prompt and away from another into one."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.core.errors import invalid
from muybridge.flow.path import expand_sigma
from muybridge.flow.samplers import Velocity
from muybridge.flow.schedules import NONE, Scale, Schedule


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifierFree:
    """What is done with the velocities under a prompt (c) and a negative prompt (u).

    scale: of v_u + scale (v_c - v_u), arXiv 2207.12598. Where it is 1, u is not evaluated.
    rescale: how far the spread of the guided film is brought back to that under the prompt alone, 0 ... 1
    (arXiv 2305.08891, 3.4). is_optimised: v_u is first scaled to fit v_c best, and zero_steps: so many first steps
    leave the film as it is and evaluate nothing (both CFG-Zero*, arXiv 2503.18886).
    Raises InvalidInput where a value breaks a rule.
    """

    scale: Schedule
    rescale: float = 0.0
    is_optimised: bool = False
    zero_steps: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.rescale <= 1:
            raise invalid(f"rescale={self.rescale}", "lies within [0, 1]", "use 0.7, or 0 for none")
        if self.zero_steps < 0:
            raise invalid(f"zero_steps={self.zero_steps}", "is a number of steps", "use 1, or 0 for none")

    def over(self, sigmas: Float[Tensor, " n"]) -> "Guided":
        """This guidance in a run over that grid. Raises InvalidInput where it names steps that are not in it."""
        num_steps = len(sigmas) - 1
        if self.zero_steps >= num_steps:
            given = f"zero_steps={self.zero_steps} of {num_steps} steps"
            raise invalid(given, "leaves no step to make the film in", "use 1, or 0 for none")
        self.scale.check_steps_within(num_steps, name="cfg")
        begins = float(sigmas[self.zero_steps])
        return Guided(rule=self, scale=self.scale.over(sigmas), begins=begins)


@dataclass(frozen=True, kw_only=True, slots=True)
class Guided:
    """Classifier-free guidance of one run. begins: above this level the film is left as it is, by no evaluation."""

    rule: ClassifierFree
    scale: Scale
    begins: float

    def is_still(self, sigma: float) -> bool:
        """Whether the velocity at this level is zero."""
        return sigma > self.begins

    def num_passes(self, sigma: float) -> int:
        """Forwards of the network at this level: none, the conditional one, or both."""
        return 0 if self.is_still(sigma) else 1 if self.scale(sigma) == NONE else 2

    def around(self, conditional: Velocity, unconditional: Velocity) -> Velocity:
        """The guided velocity. Every film of a batch is at one level, but for its held frames, which are at 0."""
        guided = classifier_free(
            conditional, unconditional, self.scale, rescale=self.rule.rescale, is_optimised=self.rule.is_optimised
        )
        if self.rule.zero_steps == 0:
            return guided
        return lambda x, sigma: torch.zeros_like(x) if self.is_still(level(sigma)) else guided(x, sigma)


def classifier_free(
    conditional: Velocity,
    unconditional: Velocity,
    scale: float | Scale,
    *,
    rescale: float = 0.0,
    is_optimised: bool = False,
) -> Velocity:
    """The velocity v_u + scale (v_c - v_u), corrected as `ClassifierFree` says.   arXiv 2207.12598.

    Where the scale is 1 it is `conditional` itself, bit for bit: the unconditional network is not run. Elsewhere both
    are evaluated. Raises InvalidInput unless scale is a number of at least 0.
    """
    scale_at: Callable[[float], float] = scale if callable(scale) else _constant(scale)

    def guided(x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
        now = scale_at(level(sigma))
        if now == NONE:
            return conditional(x, sigma)
        v_unconditional = unconditional(x, sigma)
        v_conditional = conditional(x, sigma)
        if is_optimised:
            v_unconditional = optimal_scale(v_conditional, v_unconditional) * v_unconditional
        v = v_unconditional + now * (v_conditional - v_unconditional)
        return v if rescale == 0 else rescaled(v, v_conditional, x, sigma=sigma, share=rescale)

    return guided


def level(sigma: Float[Tensor, "b *t"]) -> float:
    """The noise level of a batch that is at one: its highest, as held frames are at 0. `sigma` is on the host."""
    return float(sigma.max())


def optimal_scale(
    conditional: Float[Tensor, "b *rest"], unconditional: Float[Tensor, "b *rest"]
) -> Float[Tensor, "b *ones"]:
    """s of each film that brings s v_u nearest to v_c: <v_c, v_u> / |v_u|^2.   arXiv 2503.18886, Eq. 7."""
    axes = tuple(range(1, conditional.ndim))
    product = (conditional.float() * unconditional.float()).sum(axes, keepdim=True)
    norm = unconditional.float().square().sum(axes, keepdim=True)
    return product / norm.clamp_min(torch.finfo(torch.float32).tiny)


def rescaled(
    v: Float[Tensor, "b *rest"],
    conditional: Float[Tensor, "b *rest"],
    x: Float[Tensor, "b *rest"],
    *,
    sigma: Float[Tensor, "b *t"],
    share: float,
) -> Float[Tensor, "b *rest"]:
    """The velocity to a film whose spread is nearer to that under the prompt alone.   arXiv 2305.08891, 3.4.

    The film that v points at, x - sigma v, is scaled to the standard deviation of the one that `conditional` points at,
    and the two are mixed by `share`. Differs from the paper, which scales the network's output: a velocity holds
    the noise as well, and scaled down it would leave noise behind (measured in docs/how-to/control-the-text.md).
    """
    levels = expand_sigma(sigma.to(x.device, non_blocking=True), x).to(x.dtype)
    film = x - levels * v
    ratio = _spread(x - levels * conditional) / _spread(film).clamp_min(torch.finfo(x.dtype).tiny)
    factor = share * (1 - ratio)
    return torch.where(levels > 0, v + factor * film / levels, v)  # at level 0 both films are x itself


def _spread(film: Float[Tensor, "b *rest"]) -> Float[Tensor, "b *ones"]:
    return film.std(dim=tuple(range(1, film.ndim)), keepdim=True)


def _constant(scale: float) -> Scale:
    schedule = Schedule.of(scale)
    return lambda _sigma: schedule.start
