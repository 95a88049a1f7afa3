"""The velocities that a sampler asks for in a run, and how much each of them moves the result."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.flow.samplers import Sampler


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """One velocity of a run: asked for in a `step` (from 1) at `sigma`, it moves the result by `weight` times itself.

    Weights are mostly below 0, as sigma falls.
    """

    step: int
    sigma: float
    weight: float


def evaluations(solve: Sampler, sigmas: Float[Tensor, "n"]) -> tuple[Evaluation, ...]:
    """Every evaluation of a run of `solve` over this grid, in order.

    Samplers are linear in the velocities they are given, so the weights of any of them, also of those yet to be
    written, are what it makes of unit velocities. The weights sum up to sigmas[-1] - sigmas[0].
    """
    grid = sigmas.double()
    asked: list[tuple[int, float]] = []
    step = 1

    def still(x: Tensor, sigma: Tensor) -> Tensor:
        asked.append((step, float(sigma[0])))
        return torch.zeros_like(x)

    def next_step(index: int, _total: int, _x: Tensor) -> None:
        nonlocal step
        step = index + 2

    solve(still, torch.zeros(1, 1, dtype=torch.float64), grid, next_step)
    units: Iterator[Tensor] = iter(torch.eye(len(asked), dtype=torch.float64).split(1))
    moved = solve(lambda _x, _sigma: next(units), torch.zeros(1, len(asked), dtype=torch.float64), grid)
    return tuple(
        Evaluation(step=step, sigma=sigma, weight=weight)
        for (step, sigma), weight in zip(asked, moved[0].tolist(), strict=True)
    )
