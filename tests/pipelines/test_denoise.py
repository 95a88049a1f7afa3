"""The transformer as a velocity."""

from dataclasses import replace

import pytest
import torch

from muybridge.flow.held import hold_frames
from muybridge.flow.samplers import SAMPLERS
from muybridge.pipelines.batches import together
from muybridge.pipelines.denoise import Means, Plan, Prompts, denoise, guided_velocity, network_velocity
from muybridge.text.encoder import HashEncoder, TextStates
from muybridge.transformer import Conditions
from tests.transformer.networks import TINY, network

ENCODER = HashEncoder(text_dim=TINY.text_dim, pooled_dim=TINY.pooled_dim)
PLAN = Plan(num_steps=2, shift=7.0, sampler="euler", guidance=6.0, cfg=3.0)
X = torch.randn(1, 4, 2, 4, 4, generator=torch.Generator().manual_seed(1))
SIGMA = torch.tensor([0.7])


def text(*prompts: str) -> TextStates:
    return ENCODER.encode(prompts, num_frames=5)


def test_the_velocity_is_the_networks():
    model, given = network(), text("a red horse")
    conditions = Conditions(text=given.states, pooled=given.pooled, guidance=torch.tensor([6.0]))
    assert torch.equal(network_velocity(model, given, guidance=6.0)(X, SIGMA), model(X, SIGMA, conditions))


def test_padding_makes_no_difference():
    padded = together([text("a"), text("a red horse in the rain")])
    alone = TextStates(states=padded.states[:1], mask=padded.mask[:1], pooled=padded.pooled[:1])
    model = network()
    assert torch.equal(
        network_velocity(model, alone, guidance=6.0)(X, SIGMA),
        network_velocity(model, text("a"), guidance=6.0)(X, SIGMA),
    )


def test_guidance_extrapolates_from_the_negative_prompt():
    model = network()
    prompts = Prompts(positive=text("a horse"), negative=text("a cow"))
    positive, negative = (network_velocity(model, t, guidance=6.0)(X, SIGMA) for t in (text("a horse"), text("a cow")))
    guided = guided_velocity(model, prompts, PLAN)(X, SIGMA)
    torch.testing.assert_close(guided, negative + 3.0 * (positive - negative))


def test_a_batch_agrees_with_its_films():
    """What an accelerator does in one batch; rounding only."""
    model = network()
    texts = [text("a"), text("a red horse in the rain")]
    films = denoise(
        model, Prompts(positive=together(texts), negative=None), plan=PLAN, seeds=[1, 2], shape=(4, 2, 4, 4)
    )
    for i, one in enumerate(texts):
        prompts = Prompts(positive=one, negative=None)
        alone = denoise(model, prompts, plan=PLAN, seeds=[1 + i], shape=(4, 2, 4, 4))
        torch.testing.assert_close(films[i], alone[0], rtol=1e-4, atol=1e-4)


def test_a_bfloat16_network_keeps_float32_state():
    prompts = Prompts(positive=text("a horse"), negative=None)
    latents = denoise(network().bfloat16(), prompts, plan=PLAN, seeds=[1], shape=(4, 2, 4, 4))
    assert latents.dtype == torch.float32 and not torch.equal(latents, latents.bfloat16().float())


@pytest.mark.parametrize("sampler", ["euler", "heun"])
def test_putting_modulation_away_changes_no_bit(sampler):
    model, plan = network(), replace(PLAN, sampler=sampler, num_steps=3)
    prompts = Prompts(positive=text("a horse"), negative=text("a red cow in the rain"))
    films = [
        denoise(model, prompts, plan=plan, seeds=[1], shape=(4, 2, 4, 4), means=Means(evicts_modulation=evicts))
        for evicts in (True, False)
    ]
    assert torch.equal(*films)


@pytest.mark.parametrize("evicts", [True, False])
def test_every_step_is_told_before_it_begins(evicts):
    model, steps = network(), []
    prompts = Prompts(positive=text("a horse"), negative=None)
    denoise(
        model, prompts, plan=PLAN, seeds=[1], shape=(4, 2, 4, 4),
        means=Means(evicts_modulation=evicts, at_step=steps.append),
    )  # fmt: skip
    assert steps[-2:] == [2, 3] and max(steps) == 3


def test_no_step_waits_for_the_device():
    """On the meta device nothing can be read back: texts of two lengths, guided, held frames, every sampler's sigma."""
    model = network().to("meta")
    prompts = Prompts(positive=together([text("a"), text("a red horse")]), negative=together([text("b"), text("c")]))
    velocity = hold_frames(guided_velocity(model, prompts, PLAN), torch.tensor([True, False]))
    x = torch.empty(2, 4, 2, 4, 4, device="meta")
    for solve in SAMPLERS.values():
        assert solve(velocity, x, torch.tensor([1.0, 0.5, 0.0])).is_meta


@pytest.mark.parametrize("evicts", [True, False])
def test_no_run_waits_for_the_device(evicts):
    model = network().to("meta")
    prompts = Prompts(positive=text("a"), negative=text("a red horse"))
    assert denoise(
        model, prompts, plan=PLAN, seeds=[1], shape=(4, 2, 4, 4), means=Means(evicts_modulation=evicts)
    ).is_meta
