import pytest
import torch

from muybridge.acceleration.caches import gaps
from muybridge.acceleration.caches.gaps import TRUST, Gap, log_odds
from muybridge.flow.evaluations import evaluations
from muybridge.flow.samplers import euler
from muybridge.flow.timesteps import inference_sigmas

SIGMAS = inference_sigmas(12, shift=3.0).double()
RUN = evaluations(euler, SIGMAS)
X = torch.randn(2, 3, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
COMPUTED = (0, 1, 3, 6, 8, 11)


def _sum(velocity, *, corrected: bool) -> torch.Tensor:
    """What a run adds to the latents, of a velocity that depends on the level alone."""
    gap, total = Gap(RUN), torch.zeros_like(X)
    for index, each in enumerate(RUN):
        if index not in COMPUTED:
            total += each.weight * gap.predicted(index)
            continue
        closed = gap.close(index, velocity(each.sigma))
        total += each.weight * closed.velocity
        if corrected and closed.surprise is not None:
            total += closed.share * closed.surprise
    return total


def test_a_constant_velocity_never_surprises():
    torch.testing.assert_close(_sum(lambda sigma: X, corrected=True), -X)


def test_corrections_make_a_run_exact_that_changes_evenly_in_log_odds(monkeypatch):
    monkeypatch.setattr(gaps, "stiffness", lambda sigma: 0.0)  # a velocity that does not see the latents pulls nothing
    exact = sum(each.weight * log_odds(each.sigma) for each in RUN) * X
    torch.testing.assert_close(_sum(lambda sigma: log_odds(sigma) * X, corrected=True), exact)
    assert not torch.allclose(_sum(lambda sigma: log_odds(sigma) * X, corrected=False), exact)


def test_log_odds_rise_with_the_noise_and_are_finite():
    found = [log_odds(sigma) for sigma in (0.0, 0.01, 0.3, 0.5, 0.7, 0.99, 1.0)]
    assert found == sorted(found)
    assert found == pytest.approx([-other for other in reversed(found)])


def test_nothing_is_corrected_where_nothing_was_skipped():
    gap = Gap(RUN)
    for index in (0, 1, 2):
        assert gap.close(index, X * RUN[index].sigma).share == 0.0
    assert gap.share(2, 5) < 0 < abs(gap.share(2, 4)) < abs(gap.share(2, 5))


def test_the_pull_is_taken_off_the_surprise():
    """Velocity a (x - goal), latents off by e: what is left of the surprise is what it would be without e."""
    gap = Gap(RUN)
    gap.close(4, X)
    off = gap.share(4, 7) * X  # how wrong the latents are when the velocity should have been 2 X
    seen = 2 * X - gaps.stiffness(RUN[7].sigma) * off
    closed = gap.close(7, seen)
    torch.testing.assert_close(closed.velocity, 2 * X)
    assert closed.surprise is not None
    torch.testing.assert_close(closed.share * closed.surprise, off)


def test_a_slope_is_trusted_in_part():
    gap = Gap(RUN)
    gap.close(4, torch.zeros_like(X))
    gap.close(5, X)
    four, five, six = (log_odds(RUN[index].sigma) for index in (4, 5, 6))
    torch.testing.assert_close(gap.predicted(6), X * (1 + TRUST * (six - five) / (five - four)))


def test_a_forgotten_slope_leaves_the_velocity():
    gap = Gap(RUN)
    gap.close(0, torch.zeros_like(X))
    gap.close(1, X)
    gap.forget()
    assert not gap.is_slope_known
    assert torch.equal(gap.predicted(4), X)
