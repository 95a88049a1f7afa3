"""The velocities that a sampler asks for in a run, and how much each of them moves the result."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.flow.samplers import Sampler


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One velocity of a run: asked for at `sigma`, it moves the result by `weight` (mostly below 0) times itself."""

    sigma: float
    weight: float


def evaluations(sampler: Sampler, sigmas: Float[Tensor, "n"]) -> tuple[Evaluation, ...]:
    """Every evaluation of a run, in order.

    Samplers are linear in the velocities they are given, so the weights of any of them, also of those yet to be
    written, are what it makes of unit velocities. The weights sum up to sigmas[-1] - sigmas[0].
    """
    levels: list[float] = []

    def still(x: Tensor, sigma: Tensor) -> Tensor:
        levels.append(float(sigma[0]))
        return torch.zeros_like(x)

    sampler(still, sigmas.new_zeros(1, 1, dtype=torch.float64), sigmas.double())
    units: Iterator[Tensor] = iter(torch.eye(len(levels), dtype=torch.float64).split(1))
    moved = sampler(lambda _x, _sigma: next(units), torch.zeros(1, len(levels), dtype=torch.float64), sigmas.double())
    return tuple(
        Evaluation(sigma=sigma, weight=weight) for sigma, weight in zip(levels, moved[0].tolist(), strict=True)
    )
