"""Where sampling starts, with a tiny random network."""

from dataclasses import replace

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.core.seeding import noise
from muybridge.flow.samplers import SAMPLERS
from muybridge.pipelines.batches import together
from muybridge.pipelines.denoise import Means, Plan, Prompts, denoise
from muybridge.pipelines.request import GenerationRequest
from muybridge.pipelines.start import Start
from muybridge.pipelines.step_cache import StepCache
from muybridge.text.encoder import HashEncoder
from tests.transformer.networks import TINY, network

ENCODER = HashEncoder(text_dim=TINY.text_dim, pooled_dim=TINY.pooled_dim)
PLAN = Plan(num_steps=4, shift=3.0, sampler="euler", guidance=6.0, cfg=3.0)
SHAPE = (4, 3, 4, 4)
GIVEN = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(1))
FREE = torch.zeros(3, dtype=torch.bool)
FIRST, ENDS = torch.tensor([True, False, False]), torch.tensor([True, False, True])
LEFT = torch.arange(4).expand(3, 4, 4) < 2
PROMPTS = Prompts(positive=ENCODER.encode(["a horse"], num_frames=5), negative=ENCODER.encode(["fog"], num_frames=5))


def film(*starts: Start, plan: Plan = PLAN, means: Means | None = None, prompts: Prompts = PROMPTS) -> torch.Tensor:
    seeds = [7 + index for index in range(max(1, len(starts)))]
    return denoise(network(), prompts, plan=plan, seeds=seeds, shape=SHAPE, starts=starts or None, means=means)


@pytest.mark.parametrize("held", [FIRST, ENDS])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_held_frames_come_back_to_the_bit_and_the_others_are_made(sampler, held):
    made = film(Start(given=GIVEN[0], held=held), plan=replace(PLAN, sampler=sampler))[0]
    assert torch.equal(made[:, held], GIVEN[0][:, held])
    assert not torch.isclose(made[:, ~held], GIVEN[0][:, ~held]).any(dim=0).all()


def test_held_frames_steer_the_others():
    one, other = (film(Start(given=given, held=FIRST))[0, :, 1:] for given in GIVEN)
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("start", [
    Start(given=GIVEN[0], held=FIRST), Start(given=GIVEN[0], held=FREE, made=LEFT, strength=0.5),
])  # fmt: skip
@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_putting_modulation_away_changes_no_bit(sampler, start):
    plan = replace(PLAN, sampler=sampler)
    assert torch.equal(*(film(start, plan=plan, means=Means(evicts_modulation=evicts)) for evicts in (True, False)))


def test_pinned_cells_come_back_to_the_bit_and_the_others_are_made():
    made = film(Start(given=GIVEN[0], held=FREE, made=LEFT))[0]
    assert torch.equal(made[:, ~LEFT], GIVEN[0][:, ~LEFT])
    assert (made - GIVEN[0])[:, LEFT].abs().mean() > 0.1


def test_strength_1_is_text_to_video():
    assert torch.equal(film(Start(given=GIVEN[0], held=FREE)), film())


def test_strength_towards_0_gives_what_was_given():
    far = [(film(Start(given=GIVEN[0], held=FREE, strength=s))[0] - GIVEN[0]).abs().mean() for s in (0.5, 0.05, 1e-5)]
    assert far == sorted(far, reverse=True) and far[-1] < 1e-3


def test_the_noise_holds_its_share_of_what_was_given():
    zero = network()
    with torch.no_grad():
        for parameter in zero.final_layer.parameters():
            parameter.zero_()
    start = Start(given=GIVEN[0], held=FREE, noise_mix=0.25)
    kept = denoise(zero, PROMPTS, plan=PLAN, seeds=[7], shape=SHAPE, starts=[start])
    torch.testing.assert_close(kept, 0.75 * noise([7], SHAPE) + 0.25 * GIVEN[:1])


def test_a_batch_of_starts_agrees_with_its_films():
    """What an accelerator does in one batch; rounding only."""
    starts = [Start(given=given, held=FIRST, made=LEFT, strength=0.8) for given in GIVEN]
    positive = together([ENCODER.encode(["a horse"], num_frames=5)] * 2)
    both = denoise(
        network(), Prompts(positive=positive, negative=None), plan=replace(PLAN, cfg=1.0), seeds=[1, 2],
        shape=SHAPE, starts=starts,
    )  # fmt: skip
    for index, start in enumerate(starts):
        prompts = Prompts(positive=PROMPTS.positive, negative=None)
        alone = denoise(network(), prompts, plan=replace(PLAN, cfg=1.0), seeds=[1 + index], shape=SHAPE, starts=[start])
        torch.testing.assert_close(both[index], alone[0], rtol=1e-4, atol=1e-4)


def test_a_step_cache_leaves_held_frames_and_pinned_cells_alone():
    request = GenerationRequest(prompt="a", num_steps=16, shift=3.0, budget="speed=2x")
    cache = StepCache.of(request, model="any")
    start = Start(given=GIVEN[0], held=FIRST, made=LEFT)
    made = film(start, plan=replace(PLAN, num_steps=16), means=Means(cache=cache))[0]
    assert torch.equal(made[:, 0], GIVEN[0][:, 0]) and torch.equal(made[:, ~LEFT], GIVEN[0][:, ~LEFT])
    assert cache is not None and cache.reports()[0]["computed"] == 8


def test_channels_beside_reach_the_network():
    wide = network(replace(TINY, in_channels=TINY.in_channels + 2))
    beside = torch.randn(2, *SHAPE[1:], generator=torch.Generator().manual_seed(2))
    films = [
        denoise(wide, PROMPTS, plan=PLAN, seeds=[7], shape=SHAPE,
                starts=[Start(given=GIVEN[0], held=FREE, beside=channels)])
        for channels in (beside, 0 * beside)
    ]  # fmt: skip
    assert films[0].shape == (1, *SHAPE) and not torch.allclose(*films)


def test_starts_that_do_not_go_together_are_refused():
    starts = [Start(given=GIVEN[0], held=FIRST), Start(given=GIVEN[1], held=ENDS)]
    with pytest.raises(InvalidInput, match="hold the same frames"):
        film(*starts)


@pytest.mark.parametrize("change", [
    {"held": torch.tensor([True, False])}, {"made": LEFT[:, :2]}, {"made": ~LEFT & LEFT}, {"strength": 0.0},
    {"strength": 1.5}, {"noise_mix": -0.1}, {"beside": torch.zeros(1, 2, 4, 4)},
])  # fmt: skip
@pytest.mark.wrong_shapes
def test_starts_that_make_no_sense_are_refused(change):
    with pytest.raises(InvalidInput):
        Start(**({"given": GIVEN[0], "held": FREE} | change))
