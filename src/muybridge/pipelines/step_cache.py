"""A request's budget of evaluations, put around the velocity of its run."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.budgeted import Budgeted, within_budget
from muybridge.flow.samplers import Sampler, Velocity, sampler
from muybridge.pipelines.cast import Plan
from muybridge.pipelines.request import GenerationRequest


class StepCache:
    """The budget of a request for one run; `reports` says afterwards what it came to, film by film."""

    def __init__(self, request: GenerationRequest, *, model: str) -> None:
        """`model`: the catalogue name that its calibration is found by. Raises InvalidInput where it cannot be kept."""
        self._model = model
        self._budget = Budget.parse(request.budget or "")
        self._changes = _changes(request)
        self._run: Budgeted
        self.around(
            lambda x, _sigma: x, sampler(request.sampler), sigmas=request.sigmas
        )  # checks: nothing is computed yet

    @classmethod
    def of(cls, request: GenerationRequest, *, model: str) -> "StepCache | None":
        """That of a request, None where it has no budget. Raises InvalidInput."""
        return None if request.budget is None else cls(request, model=model)

    def around(self, velocity: Velocity, solve: Sampler, *, sigmas: Float[Tensor, "n"]) -> Velocity:
        """The velocity of one run of `solve` over `sigmas`, computed only as often as the budget asks."""
        self._run = within_budget(
            velocity, solve, sigmas=sigmas, budget=self._budget, model=self._model, changes=self._changes
        )
        return self._run

    def reports(self) -> list[dict[str, Any]]:
        """For the settings of each film's result."""
        return [report.to_dict() for report in self._run.reports()]


def _changes(request: GenerationRequest) -> set[int]:
    """Steps, from 0, from which on the velocity is another, because a LoRA or guidance begins or ends."""
    ranges = [use.steps for use in request.loras if use.steps is not None]
    guided = Plan.of(request).guide.over(request.sigmas)
    passes = [guided.num_passes(sigma) for sigma in request.sigmas[:-1].tolist()]
    turns = {step for step in range(1, len(passes)) if passes[step] != passes[step - 1]}
    return turns | {first - 1 for first, _ in ranges} | {last for _, last in ranges if last is not None}
