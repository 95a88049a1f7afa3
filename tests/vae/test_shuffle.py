"""HunyuanVideo-1.5's VAE: causal, one picture one latent, and its sizes."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.vae import ShuffleVAE, ShuffleVAEConfig
from muybridge.vae.shuffle_blocks import averaged, repeated, to_channels, to_pixels
from tests.vae.small import SMALL_15, clip, small_shuffle_vae

ROUNDING = 1e-5  # of values of order one: other sums in attention over fewer keys


def test_the_released_one_has_its_published_size():
    with torch.device("meta"):
        vae = ShuffleVAE()
    assert sum(parameter.numel() for parameter in vae.parameters()) == 1_260_634_115
    assert len(vae.state_dict()) == 218


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 5, 9])
def test_decoding_what_is_encoded_keeps_the_shape(frames: int):
    vae, pixels = small_shuffle_vae(), clip(frames, 32, 48)
    latents = vae.encode(pixels).mean
    assert latents.shape == (1, 4, (frames + 3) // 4, 2, 3)
    assert vae.decode(latents).shape == pixels.shape


@torch.no_grad()
def test_later_frames_never_change_earlier_ones():
    vae, film = small_shuffle_vae(), clip(9, 16, 32, batch=2)
    whole, start = vae.encode(film).mean, vae.encode(film[:, :, :5]).mean
    assert (whole[:, :, :2] - start).abs().max() < ROUNDING
    assert (vae.decode(whole)[:, :, :5] - vae.decode(whole[:, :, :2])).abs().max() < ROUNDING


def test_channels_become_pixels_and_back():
    x = torch.randn(2, 16, 3, 2, 4)
    assert torch.equal(to_channels(to_pixels(x, (2, 2, 2)), (2, 2, 2)), x)
    assert torch.allclose(averaged(repeated(x, 48), 16), x)


@torch.no_grad()
def test_computed_in_the_parameters_dtype():
    vae = small_shuffle_vae().to(torch.bfloat16)
    assert vae.decode(vae.encode(clip(1, 16, 16)).mean).dtype == vae.dtype == torch.bfloat16


def test_inputs_that_do_not_fit_are_refused():
    vae = small_shuffle_vae()
    for film in (clip(4, 16, 16), clip(5, 24, 16)):
        with pytest.raises(InvalidInput):
            vae.encode(film)
    with pytest.raises(InvalidInput, match="must be .b, 4"):
        vae.decode(torch.ones(1, 3, 1, 1, 1))


@pytest.mark.parametrize(
    "wrong",
    [
        {"block_channels": (8, 16, 32, 64)}, {"block_channels": (8, 16, 32, 64, 36)}, {"latent_channels": 3},
        {"spatial_ratio": 12}, {"temporal_ratio": 32}, {"scaling_factor": 0.0}, {"layers_per_block": 0},
    ],
)  # fmt: skip
def test_sizes_that_cannot_be_built_are_refused(wrong: dict[str, Any]):
    with pytest.raises(InvalidInput):
        replace(SMALL_15, **wrong)
    assert ShuffleVAEConfig().ratios() == [(1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2)]
