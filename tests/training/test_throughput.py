"""What passes through a model is counted from its shapes, while it is measured and not otherwise."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from muybridge.core.counting import TRAINING_PASSES
from muybridge.training.throughput import Meter, peak_flops
from muybridge.transformer import Conditions, Transformer
from tests.transformer.networks import TINY, conditions, latents, network
from tests.vae.small import clip, small_vae


def test_a_transformer_s_work_is_what_torch_counts_and_thrice_in_training() -> None:
    with torch.device("meta"):  # on the CPU, torch's counter knows no attention kernel
        model = Transformer(TINY)
        given = Conditions(text=torch.empty(2, 16, 12), pooled=torch.empty(2, 10), guidance=torch.empty(2))
        inputs = (torch.empty(2, 4, 3, 4, 6), torch.empty(2), given)
    with torch.no_grad(), FlopCounterMode(display=False) as counter, Meter(model, is_bf16=False) as forwards:
        model(*inputs)
    with Meter(model, is_bf16=False) as training:
        model(*inputs)
    assert forwards.work["flops"] == counter.get_total_flops()
    assert training.work["flops"] == TRAINING_PASSES * forwards.work["flops"]
    assert training.work["tokens"] == 2 * 3 * 2 * 3


def test_a_frozen_encoder_is_counted_once() -> None:
    vae = small_vae()
    vae.encoder.requires_grad_(False)
    with Meter(vae, is_bf16=False) as meter:
        vae.encode(clip(batch=2))
    with torch.no_grad(), Meter(vae, is_bf16=False) as forwards:
        vae.encode(clip(batch=2))
    assert meter.work == forwards.work and meter.work["frames"] == 18


def test_figures_are_rates_since_the_last_ones() -> None:
    model = network()
    meter = Meter(model, is_bf16=False)
    for _ in range(2):
        with meter, torch.no_grad():
            model(latents(), torch.tensor([0.5, 0.5]), conditions())
    figures = meter.figures()
    assert figures["tokens_per_s"] == pytest.approx(18 * figures["steps_per_s"] * 2)
    assert 0 < figures["mfu"] < 1
    assert meter.figures() == {"steps_per_s": 0.0}


def test_nothing_is_counted_outside() -> None:
    model = network()
    meter = Meter(model, is_bf16=False)
    with meter:
        pass
    model(latents(), torch.tensor([0.5, 0.5]), conditions())
    assert not meter.work and not model._forward_pre_hooks


def test_other_models_have_a_step_rate_alone() -> None:
    with Meter(nn.Linear(2, 2), is_bf16=False) as meter:
        meter.model(torch.zeros(1, 2))
    assert list(meter.figures()) == ["steps_per_s"]


def test_the_device_s_peak_is_measured() -> None:
    assert 1e8 < peak_flops(torch.device("cpu"), is_bf16=False) < 1e14
