"""The ways to cache that benchmarks/caches.py compares, each at a few settings."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from benchmarks.cache_runs import Outcome, Run, Way, open_gate
from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.budgeted import within_budget
from muybridge.acceleration.caches.calibration import calibration_of
from muybridge.acceleration.caches.first_block import first_block_cache
from muybridge.acceleration.caches.taylor import Taylor
from muybridge.acceleration.caches.teacache import teacache
from muybridge.flow.samplers import Velocity, sampler

OURS = "budget"
QUALITIES = ("psnr>=28", "psnr>=33", "psnr>=38")
SPEEDS = ("speed=2.5x", "speed=3x", "speed=4x")
TEACACHE = (0.12, 0.2, 0.3)
FIRST_BLOCK = (0.12, 0.2, 0.3)
TAYLOR = (3, 4, 5)

Opened = Iterator[tuple[Velocity, Callable[[], Outcome]]]


def ways(model: str, polynomial: Sequence[float]) -> list[Way]:
    """All of them for a model that has been calibrated; `polynomial` is TeaCache's, fitted to it."""
    calibrated = _identity(repr(calibration_of(model)))
    return [
        *(
            Way(method=OURS, setting=x, wrap=partial(_budget, budget=Budget.parse(x)), identity=calibrated)
            for x in (*QUALITIES, *SPEEDS)
        ),
        *(Way(method="Taylor", setting=f"every {n}", wrap=partial(_taylor, interval=n)) for n in TAYLOR),
        *(
            Way(
                method="TeaCache",
                setting=f"{x}",
                wrap=partial(_teacache, threshold=x, polynomial=polynomial),
                identity=_identity(repr(polynomial)),
            )
            for x in TEACACHE
        ),
        *(Way(method="first block", setting=f"{x}", wrap=partial(_first_block, threshold=x)) for x in FIRST_BLOCK),
    ]


def _identity(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@contextmanager
def _budget(run: Run, velocity: Velocity, *, budget: Budget) -> Opened:
    cached = within_budget(
        velocity, sampler(run.plan.sampler), sigmas=run.sigmas, budget=budget, model=run.pipe.components.name
    )

    def outcome() -> Outcome:
        (report,) = cached.reports()
        return Outcome(computed=report.num_computed, estimated_psnr_db=report.estimated_psnr_db)

    yield cached, outcome


@contextmanager
def _taylor(run: Run, velocity: Velocity, *, interval: int) -> Opened:
    cached = Taylor(velocity, interval=interval)
    yield cached, lambda: Outcome(computed=cached.num_computed)


@contextmanager
def _teacache(run: Run, velocity: Velocity, *, threshold: float, polynomial: Sequence[float]) -> Opened:
    transformer, num = run.pipe.components.transformer, run.plan.num_steps
    gate = teacache(transformer, threshold=threshold, polynomial=polynomial, num_evaluations=num)
    with open_gate(gate, velocity, num_evaluations=num) as opened:
        yield opened


@contextmanager
def _first_block(run: Run, velocity: Velocity, *, threshold: float) -> Opened:
    transformer = run.pipe.components.transformer
    gate = first_block_cache(transformer, threshold=threshold)
    blocks = list(transformer.blocks())
    spent = _parameters(blocks[0]) / sum(map(_parameters, blocks))  # of an evaluation, for the first block alone
    with open_gate(gate, velocity, spent=spent, num_evaluations=run.plan.num_steps) as opened:
        yield opened


def _parameters(block: object) -> int:
    return sum(parameter.numel() for parameter in block.parameters())  # type: ignore[attr-defined]
