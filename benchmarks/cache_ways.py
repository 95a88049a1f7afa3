"""The ways to cache that benchmarks/caches.py compares, each at a few settings."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from benchmarks.cache_runs import Outcome, Run, Way, open_gate
from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.budgeted import within_budget
from muybridge.acceleration.caches.calibration import calibration_of
from muybridge.acceleration.caches.first_block import first_block_cache
from muybridge.acceleration.caches.magcache import magcache
from muybridge.acceleration.caches.taylor import Taylor
from muybridge.acceleration.caches.teacache import teacache
from muybridge.flow.samplers import Velocity, sampler

OURS = "budget"
QUALITIES = ("psnr>=30", "psnr>=35", "psnr>=40")
SPEEDS = ("speed=2.5x", "speed=3x", "speed=4x")
TEACACHE = (0.12, 0.2, 0.3)
FIRST_BLOCK = (0.12, 0.2, 0.3)
TAYLOR = (3, 4, 5)
MAGCACHE = (0.1, 0.2, 0.4)
POLYNOMIAL = (14572.9, -2045.22, 89.3614, -0.915168, 0.0488164)  # TeaCache's for gallop: cache_calibration.py, 12 films
RATIOS = (  # MagCache's for gallop: the same, 3 films
    0.998, 0.9742, 0.9859, 0.9838, 0.9834, 0.9891, 0.982, 0.9808, 0.9828, 0.984, 0.9785, 0.9862, 0.9827,
    0.9821, 0.9839, 0.9823, 0.9841, 0.9814, 0.9823, 0.9803, 0.9813, 0.9795, 0.9787, 0.9768, 0.9731, 0.9682,
    0.9642, 0.9574, 0.9533,
)  # fmt: skip

Opened = Iterator[tuple[Velocity, Callable[[], Outcome]]]


def ways(model: str) -> list[Way]:
    """All of them for a model that has been calibrated."""
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
                wrap=partial(_teacache, threshold=x),
                identity=_identity(repr(POLYNOMIAL)),
            )
            for x in TEACACHE
        ),
        *(
            Way(
                method="MagCache",
                setting=f"{x}",
                wrap=partial(_magcache, threshold=x),
                identity=_identity(repr(RATIOS)),
            )
            for x in MAGCACHE
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
def _teacache(run: Run, velocity: Velocity, *, threshold: float) -> Opened:
    transformer, num = run.pipe.components.transformer, run.plan.num_steps
    gate = teacache(transformer, threshold=threshold, polynomial=POLYNOMIAL, num_evaluations=num)
    with open_gate(gate, velocity, num_evaluations=num) as opened:
        yield opened


@contextmanager
def _magcache(run: Run, velocity: Velocity, *, threshold: float) -> Opened:
    transformer, num = run.pipe.components.transformer, run.plan.num_steps
    gate = magcache(transformer, threshold=threshold, ratios=RATIOS, num_evaluations=num)
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
