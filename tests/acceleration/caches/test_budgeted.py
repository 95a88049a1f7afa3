import math

import pytest
import torch

from muybridge.acceleration.caches.budget import Budget
from muybridge.acceleration.caches.budgeted import CacheReport, within_budget
from muybridge.core.errors import InvalidInput
from muybridge.flow.held import hold_frames
from muybridge.flow.samplers import SAMPLERS, Velocity, euler
from muybridge.flow.timesteps import inference_sigmas

STEPS = 20
SIGMAS = inference_sigmas(STEPS, shift=3.0)
SHAPE = (16, 3, 4, 4)


def _noise(num: int = 3) -> torch.Tensor:
    return torch.randn(num, *SHAPE, generator=torch.Generator().manual_seed(0))


def _curved(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Turns with the level and a little with the latents; each film has its own scale."""
    sigma = sigma.reshape(len(x), 1, -1, 1, 1)
    scale = 1 + 0.5 * x[:, :, -1:].mean((1, 3, 4), keepdim=True)
    return scale * torch.sin(4 * sigma + x[:, :, -1:]) + 0.3 * x


def _within(budget: str, velocity: Velocity = _curved, *, sampler: str = "euler", model: str = "gallop", changes=()):
    return within_budget(
        velocity, SAMPLERS[sampler], sigmas=SIGMAS, budget=Budget.parse(budget), model=model, changes=changes
    )


def _counted(calls: list[float]) -> Velocity:
    def velocity(x, sigma):
        calls.append(float(sigma.max()))
        return _curved(x, sigma)

    return velocity


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize(("speed", "share"), [("speed=1x", 1.0), ("speed=2x", 0.5), ("speed=4x", 0.25)])
def test_a_speed_is_the_share_of_evaluations_computed(sampler, speed, share):
    calls: list[float] = []
    cached = _within(speed, _counted(calls), sampler=sampler)
    SAMPLERS[sampler](cached, _noise(), SIGMAS)
    (report, *others) = cached.reports()
    assert len(calls) == report.num_computed == int(report.num_evaluations * share)
    assert [other.num_computed for other in others] == [report.num_computed] * 2


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_speed_of_one_changes_nothing(sampler):
    cached = _within("speed=1x", sampler=sampler)
    assert torch.equal(SAMPLERS[sampler](cached, _noise(), SIGMAS), SAMPLERS[sampler](_curved, _noise(), SIGMAS))
    assert all(report.estimated_psnr_db == math.inf for report in cached.reports())


def test_more_quality_takes_more_and_comes_nearer():
    dense = euler(_curved, _noise(), SIGMAS)
    found = []
    for budget in ("psnr>=20", "psnr>=30", "psnr>=40"):
        cached = _within(budget)
        error = float((euler(cached, _noise(), SIGMAS) - dense).square().mean())
        found.append((sum(report.num_computed for report in cached.reports()), -error))
    assert found == sorted(found)
    assert found[0][0] < found[2][0]


def test_a_film_does_not_depend_on_its_neighbours():
    together = euler(_within("psnr>=30"), _noise(), SIGMAS)
    for index in range(3):
        alone = euler(_within("psnr>=30"), _noise()[index : index + 1], SIGMAS)
        assert torch.equal(together[index : index + 1], alone)


def test_held_frames_stay():
    held = torch.tensor([True, False, False])
    x = _noise()
    found = euler(_within("speed=2x", hold_frames(_curved, held)), x, SIGMAS)
    assert torch.equal(found[:, :, 0], x[:, :, 0])
    assert not torch.equal(found[:, :, 1], x[:, :, 1])


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_nothing_is_predicted_across_a_change_of_the_network(sampler):
    calls: list[float] = []
    cached = _within("speed=3x", _counted(calls), sampler=sampler, changes=(7,))
    SAMPLERS[sampler](cached, _noise(1), SIGMAS)
    levels = SIGMAS.tolist()
    assert levels[7] in calls
    before = levels[6] if sampler == "euler" else levels[7]  # heun's second evaluation of step 6 is at the end of it
    assert calls.count(before) == (1 if sampler == "euler" else 2)


def test_a_correction_brings_the_film_nearer():
    dense = euler(_curved, _noise(), SIGMAS)
    cached = euler(_within("speed=2x"), _noise(), SIGMAS)
    every_other = inference_sigmas(STEPS // 2, shift=3.0)
    fewer_steps = euler(_curved, _noise(), every_other)
    assert (cached - dense).square().mean() < 0.25 * (fewer_steps - dense).square().mean()


def test_few_steps_are_refused():
    with pytest.raises(InvalidInput, match="needs at least 12 of them; leave it out"):
        within_budget(
            _curved, euler, sigmas=inference_sigmas(8, shift=3.0), budget=Budget.parse("speed=2x"), model="gallop"
        )


def test_a_model_that_was_not_calibrated_has_speeds_only():
    with pytest.raises(InvalidInput, match="ask for a speed"):
        _within("psnr>=30", model="hunyuanvideo")
    cached = _within("speed=2x", model="hunyuanvideo")
    euler(cached, _noise(1), SIGMAS)
    assert cached.reports()[0].estimated_psnr_db is None


def test_a_report_is_fit_for_json():
    report = CacheReport(budget="psnr>=32", num_computed=8, num_evaluations=30, estimated_psnr_db=math.inf)
    assert report.to_dict() == {
        "budget": "psnr>=32", "computed": 8, "evaluations": 30, "speed": 3.75, "estimated_psnr_db": None,
    }  # fmt: skip
