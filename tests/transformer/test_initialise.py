"""Starting weights."""

from dataclasses import replace

import torch

from muybridge.transformer import Transformer, initialise
from tests.transformer.networks import TINY, TINY_15, conditions, latents


def initialised(seed: int) -> Transformer:
    model = Transformer(TINY)
    initialise(model, torch.Generator().manual_seed(seed))
    return model


def test_weights_are_a_function_of_the_generator():
    first = initialised(0).state_dict()
    torch.rand(7)  # the global generator has no part in it
    again, other = initialised(0).state_dict(), initialised(1).state_dict()
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_model_built_without_memory_gets_the_same_weights():
    with torch.device("meta"):
        model = Transformer(TINY)
    model.to_empty(device="cpu")
    initialise(model, torch.Generator().manual_seed(0))
    ours, theirs = model.state_dict(), initialised(0).state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_no_parameter_stays_as_it_was():
    model = Transformer(replace(TINY_15, has_end_sigma=True))
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, torch.nan)
    initialise(model, torch.Generator().manual_seed(0))
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@torch.no_grad()
def test_blocks_start_as_the_identity_and_the_velocity_as_zero():
    model = initialised(0)
    assert not model(latents(), torch.tensor([0.9, 0.25]), conditions()).any()
    for name, parameter in model.named_parameters():
        is_zero = any(word in name for word in ("mod.linear", "modulation", "final_layer")) or name.endswith("bias")
        assert is_zero != bool(parameter.any()), name


@torch.no_grad()
def test_scales_are_the_released_ones():
    model = initialised(0)
    assert 0.018 < float(model.time_in.mlp[0].weight.std()) < 0.022
    flat = model.img_in.proj.weight.flatten(1)
    bound = (6 / sum(flat.shape)) ** 0.5
    assert 0.9 * bound < float(flat.abs().max()) <= bound
    hidden = model.double_blocks[0].img_mlp.fc1.weight
    torch.testing.assert_close(hidden.var() * hidden.shape[1], torch.tensor(1.0), rtol=0.1, atol=0)
