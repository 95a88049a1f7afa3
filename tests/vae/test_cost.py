"""Counted operations and parameters are the closed form's, for every VAE that we name."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from muybridge.recipes.gallop import gallop_vae
from muybridge.vae import VAEConfig, VideoVAE
from muybridge.vae.cost import decode_flops, encode_flops, latent_grid, num_parameters
from tests.vae.small import SMALL, STEMMED

CONFIGS = {
    "released": VAEConfig(),
    "gallop": gallop_vae().vae,
    "small": SMALL,
    "stemmed": STEMMED,
    "half stem": replace(STEMMED, stem_patch=(2, 4, 4), has_linear_path=False),
    "extra block": replace(SMALL, block_channels=(8, 8, 16, 16, 32), has_mid_attention=False),
    "own decoder": replace(
        STEMMED, decoder_channels=(12, 24), decoder_stem_patch=(2, 4, 4), decoder_norm="cell", has_mid_attention=True
    ),
    "cell decoder": replace(STEMMED, decoder_channels=(24,), decoder_stem_patch=(4, 8, 8), decoder_norm="cell"),
}
SIZES = [(1, 16, 24), (9, 32, 16)]


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_parameters_are_counted_without_building_the_network(config: VAEConfig) -> None:
    with torch.device("meta"):
        built = sum(parameter.numel() for parameter in VideoVAE(config).parameters())
    assert num_parameters(config) == built


def test_the_released_vae_has_its_published_size() -> None:
    assert num_parameters(VAEConfig()) == 246_478_803


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
@pytest.mark.parametrize(("frames", "height", "width"), SIZES)
def test_the_closed_forms_are_what_torch_counts(config: VAEConfig, frames: int, height: int, width: int) -> None:
    with torch.device("meta"), torch.no_grad():
        vae = VideoVAE(config)
        with FlopCounterMode(display=False) as encoding:
            vae.moments(torch.empty(1, 3, frames, height, width))
        with FlopCounterMode(display=False) as decoding:
            vae.decode(torch.empty(1, config.latent_channels, *latent_grid((frames, height, width))))
    size = {"num_frames": frames, "height_px": height, "width_px": width}
    assert encode_flops(config, **size) == encoding.get_total_flops()
    assert decode_flops(config, **size) == decoding.get_total_flops()
