"""Counted operations and parameters are the closed form's, for every network that we name."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from muybridge.core.counting import TRAINING_PASSES
from muybridge.recipes.gallop import gallop_flow_64
from muybridge.transformer import HUNYUANVIDEO_15, Conditions, Transformer, TransformerConfig
from muybridge.transformer.cost import forward_flops, num_parameters
from tests.transformer.networks import TINY

RELEASED = TransformerConfig()
CONFIGS = {
    "released": RELEASED,
    "gallop": gallop_flow_64().transformer,
    "tiny": TINY,
    "without guidance": replace(TINY, has_guidance=False, in_channels=9),
    "no refiner": replace(TINY, num_refiner_blocks=0, mlp_ratio=2.5),
    "1.5": HUNYUANVIDEO_15,
    "1.5, of mean velocity": replace(HUNYUANVIDEO_15, num_double_blocks=2, has_end_sigma=True),
}
FEW = {"num_double_blocks": 2, "num_single_blocks": 3}  # as many as tell one kind of block from the other
BACKWARD_TOLERANCE = 0.01  # the latents' gradient is not computed: the first layer's backward pass is half


def counted(config: TransformerConfig, *, batch: int, frames: int, text: int, is_framewise: bool = False) -> int:
    """What torch counts on the meta device, where nothing is computed."""
    with torch.device("meta"):
        model = Transformer(config)
        conditions = Conditions(
            text=torch.empty(batch, text, config.text_dim),
            pooled=torch.empty(batch, config.pooled_dim),
            guidance=torch.empty(batch) if config.has_guidance else None,
            end_sigma=torch.empty(batch) if config.has_end_sigma else None,
        )
        latents = torch.empty(batch, config.in_channels, frames, 8, 12)
        sigma = torch.empty(batch, frames) if is_framewise else torch.empty(batch)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(latents, sigma, conditions)
    return counter.get_total_flops()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_parameters_are_counted_without_building_the_network(config: TransformerConfig) -> None:
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in Transformer(config).parameters())
    assert num_parameters(config) == built


def test_the_released_networks_have_their_published_sizes() -> None:
    assert num_parameters(RELEASED) == 12_821_012_544
    assert num_parameters(HUNYUANVIDEO_15) == 8_326_608_160
    assert num_parameters(replace(HUNYUANVIDEO_15, has_end_sigma=True)) == 8_331_330_848


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_the_closed_form_is_what_torch_counts(config: TransformerConfig) -> None:
    config = replace(config, **{name: min(num, getattr(config, name)) for name, num in FEW.items()})
    _, h, w = config.patch_size
    ours = forward_flops(config, num_visual_tokens=5 * (8 // h) * (12 // w), num_text_tokens=40)
    assert ours == counted(config, batch=1, frames=5, text=40)


def test_glyphs_and_vision_are_counted() -> None:
    config = replace(HUNYUANVIDEO_15, num_double_blocks=2)
    with torch.device("meta"):
        states = torch.empty(1, 40, config.text_dim), torch.empty(1, 7, 1472), torch.empty(1, 50, 1152)
        conditions = Conditions(text=states[0], glyphs=states[1], vision=states[2])
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            Transformer(config)(torch.empty(1, 65, 2, 4, 6), torch.empty(1), conditions)
    ours = forward_flops(config, num_visual_tokens=48, num_text_tokens=40, num_glyph_tokens=7, num_vision_tokens=50)
    assert ours == counter.get_total_flops()


def test_padded_text_is_not_attended_to() -> None:
    ours = forward_flops(TINY, num_visual_tokens=24, num_text_tokens=7, batch_size=3)
    assert ours == counted(TINY, batch=3, frames=1, text=7)


@pytest.mark.parametrize("batch", [1, 20])
def test_a_sigma_for_every_frame_costs_what_torch_counts(batch: int) -> None:
    ours = forward_flops(TINY, num_visual_tokens=120, num_text_tokens=40, batch_size=batch, num_signals=5)
    assert ours == counted(TINY, batch=batch, frames=5, text=40, is_framewise=True)


def test_training_takes_three_forward_passes() -> None:
    config = gallop_flow_64().transformer
    with torch.device("meta"):
        model = Transformer(config)
        conditions = Conditions(text=torch.empty(2, 40, config.text_dim), pooled=torch.empty(2, config.pooled_dim))
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(2, config.in_channels, 5, 16, 16), torch.empty(2), conditions).sum().backward()
    ours = forward_flops(config, num_visual_tokens=5 * 64, num_text_tokens=40, batch_size=2)
    assert counter.get_total_flops() == pytest.approx(TRAINING_PASSES * ours, rel=BACKWARD_TOLERANCE)
