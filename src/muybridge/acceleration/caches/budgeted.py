"""A velocity that is computed as often as a budget asks and predicted in between, with a running estimate of the error.

The cached run makes the sum of w_i v_i with some v_i predicted. What a gap adds to the error is known, but for its sign
and a third, when its end is computed: the correction (see `gaps`), carried to the end of the run by the flow. Errors
of different gaps are added as squares. So, film by film,

    error of the film = sum over gaps of carry(sigma) * correction^2,    in pixels by the gains of the VAE's channels,

is a running sum; the same sum over what the remaining gaps are expected to cost, scaled by how much the last gap
surprised, tells which evaluations to compute (`plan`). Nothing is drawn at random and no film looks at another.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.calibration import Calibration, calibration_of
from muybridge.acceleration.caches.gaps import Gap
from muybridge.acceleration.caches.plan import Placements, planned
from muybridge.core.errors import invalid
from muybridge.flow.evaluations import Evaluation, evaluations
from muybridge.flow.samplers import Sampler, Velocity

MIN_EVALUATIONS = 12  # below, steps are so far apart that a prediction is a guess; distilled models take 4 to 8
OVERSPENT = 0.26  # of what is spent already may be added where the budget is gone: 1 dB, not every evaluation left
PERSISTENCE = 0.5  # of a gap's surprise in that of the next, in logarithms; least squares on gallop, 24 films
PLACED_LIKE = "gallop"  # what has not been measured is placed like this model, and promises no PSNR


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheReport:
    """What a budget came to for one film: evaluations of the velocity, computed and in all, and the estimated PSNR.

    estimated_psnr_db: against the film without a cache; None for a model that has not been calibrated, infinite where
    every evaluation was computed.
    """

    budget: str
    num_computed: int
    num_evaluations: int
    estimated_psnr_db: float | None

    @property
    def speed(self) -> float:
        """How many times fewer evaluations."""
        return self.num_evaluations / self.num_computed

    def to_dict(self) -> dict[str, Any]:
        """For the settings of a result, JSON-ready."""
        psnr = self.estimated_psnr_db
        rounded = None if psnr is None or math.isinf(psnr) else round(psnr, 2)
        counts = {"computed": self.num_computed, "evaluations": self.num_evaluations, "speed": round(self.speed, 2)}
        return {"budget": self.budget, **counts, "estimated_psnr_db": rounded}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """What the films of a run share."""

    run: tuple[Evaluation, ...]
    budget: Budget
    calibration: Calibration
    is_calibrated: bool
    placements: Placements
    starts: frozenset[int]  # evaluations from which on the network is another

    @property
    def last(self) -> int:
        return len(self.run) - 1

    def num_allowed(self) -> int:
        """Evaluations that a speed leaves; at least a start, a slope and an end."""
        return max(int(len(self.run) / self.budget.value + 1e-9), 3)


class _Film:
    """One film on its way: what it surprised with, what it has spent, what is computed next."""

    def __init__(self, task: _Task) -> None:
        self._task = task
        self._gap = Gap(task.run)
        self._error, self._log_surprise = 0.0, 0.0
        self.num_computed, self.due = 0, 0

    @property
    def error(self) -> float:
        """Estimated mean squared error in pixels of the finished film, from the gaps that are closed."""
        return self._error

    def predicted(self, index: int) -> Float[Tensor, "c t h w"]:
        """For an evaluation that is not due."""
        return self._gap.predicted(index)

    def take(self, index: int, velocity: Float[Tensor, "c t h w"]) -> Float[Tensor, "c t h w"]:
        """The velocity to use where it has been computed: corrected for the gap that it closes."""
        task = self._task
        if index in task.starts:
            self._gap.forget()
        start, is_slope_known = self._gap.start, self._gap.is_slope_known
        closed = self._gap.close(index, velocity)
        if closed.surprise is not None and is_slope_known and task.is_calibrated:
            self._observe(start, index, task.calibration.in_pixels(closed.surprise), share=closed.share)
        self.num_computed += 1
        self.due = self._next(index)
        if closed.surprise is None or closed.share == 0:
            return closed.velocity
        return closed.velocity + (closed.share / task.run[index].weight) * closed.surprise

    def _observe(self, start: int, index: int, surprise: float, *, share: float) -> None:
        task = self._task
        gap = task.run[start], task.run[index]
        expected = task.calibration.surprise(*gap)
        self._error += share**2 * surprise * task.calibration.carry(*gap)
        self._log_surprise = math.log(max(surprise, 1e-20) / expected)

    def _next(self, index: int) -> int:
        task, placements = self._task, self._task.placements
        if index == task.last:
            return index
        if task.budget.kind == "speed":
            return placements.next(index, task.num_allowed() - self.num_computed)
        scale = math.exp(PERSISTENCE * self._log_surprise)
        allowed = task.calibration.allowed_error(task.budget.value)
        left = max(allowed - self._error, OVERSPENT * self._error)
        return placements.next(index, placements.fewest(index, left / scale))


class Budgeted:
    """A velocity within a budget, for one run of one sampler; `reports` says afterwards what it came to.

    Where films of a batch differ in what they compute, all are computed, and each uses only its own: a film does not
    depend on its neighbours. Three tensors of the latents' shape are kept for a film while it is computed, two between.
    """

    def __init__(self, velocity: Velocity, task: _Task) -> None:
        self._velocity, self._task = velocity, task
        self._films: list[_Film] = []
        self._index = -1

    def __call__(self, x: Float[Tensor, "b *rest"], sigma: Float[Tensor, "b *t"]) -> Float[Tensor, "b *rest"]:
        """The velocity at x, computed or predicted."""
        self._index += 1
        index = self._index
        if not self._films:
            self._films = [_Film(self._task) for _ in range(len(x))]
        is_due = [film.due == index for film in self._films]
        computed = self._velocity(x, sigma).to(x.dtype) if any(is_due) else x
        velocities = [
            film.take(index, own) if due else film.predicted(index)
            for film, due, own in zip(self._films, is_due, computed, strict=True)
        ]
        return torch.stack(velocities)

    def reports(self) -> list[CacheReport]:
        """One for each film of the batch, once the sampler is through."""
        task = self._task
        return [
            CacheReport(
                budget=str(task.budget),
                num_computed=film.num_computed,
                num_evaluations=len(task.run),
                estimated_psnr_db=task.calibration.estimated_psnr_db(film.error) if task.is_calibrated else None,
            )
            for film in self._films
        ]


def within_budget(
    velocity: Velocity,
    sampler: Sampler,
    *,
    sigmas: Float[Tensor, "n"],
    budget: Budget,
    model: str,
    changes: Collection[int] = (),
) -> Budgeted:
    """The velocity, computed only as often as the budget asks in one run of `sampler` over `sigmas`.

    model: its catalogue name, by which its calibration is found. changes: steps, counted from 0, from which on the
    network is another (a LoRA begins or ends); nothing is predicted across them. Guidance and held frames go inside.
    Raises InvalidInput where the run is too short, or a quality is asked of a model that has not been calibrated.
    """
    run = evaluations(sampler, sigmas)
    if len(run) < MIN_EVALUATIONS:
        rule = f"a step cache predicts from step to step and needs at least {MIN_EVALUATIONS} of them"
        raise invalid(f"{budget} with {len(run)} evaluations", rule, "leave it out, or take more steps")
    calibration = calibration_of(model)
    if calibration is None and budget.kind == "psnr":
        raise invalid(f"{budget} with {model}", "its errors have not been calibrated", "ask for a speed, such as 2x")
    placed = calibration or calibration_of(PLACED_LIKE)
    assert placed is not None
    starts = _evaluations_at(changes, run)
    return Budgeted(
        velocity,
        _Task(
            run=run,
            budget=budget,
            calibration=placed,
            is_calibrated=calibration is not None,
            placements=planned(run, placed, starts=starts),
            starts=starts,
        ),
    )


def _evaluations_at(steps: Collection[int], run: Sequence[Evaluation]) -> frozenset[int]:
    """The first evaluation of each of these steps, counted from 0; the run's own first is none."""
    pairs = enumerate(pairwise(run), start=1)
    return frozenset(index for index, (before, own) in pairs if before.step < own.step and own.step - 1 in steps)
