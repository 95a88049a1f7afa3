"""The VAE against diffusers' with the same random weights, whole and tiled."""

from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.vae.tiling import DIFFUSERS_TILING, Tiling, decode_tiled, encode_tiled
from tests.vae.small import SMALL, clip, noise_latents, small_vae

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.peer

TOLERANCE = 1e-4  # of the output's standard deviation (measured 5e-6; 5e-4 is the promise)
SIZES = [(1, 16, 16), (5, 24, 40), (13, 16, 24)]
TILED_SIZES = [(1, 64, 40), (9, 32, 48), (29, 16, 16), (21, 48, 40)]
TILING = Tiling(sample_px=32, sample_frames=16)


@pytest.fixture(scope="module", params=[1, 2], ids=["one layer", "two layers"])
def pair(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """(ours, theirs) with equal weights under equal names."""
    ours = small_vae(layers_per_block=request.param)
    theirs = diffusers.AutoencoderKLHunyuanVideo(
        block_out_channels=SMALL.block_channels,
        layers_per_block=request.param,
        norm_num_groups=SMALL.norm_groups,
    ).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    theirs.use_framewise_encoding = theirs.use_framewise_decoding = False  # on by default there
    return ours, theirs


@pytest.fixture
def tiled_pair(pair: tuple[Any, Any]):
    ours, theirs = pair
    theirs.enable_tiling(32, 32, 16, 24, 24, 12)
    theirs.use_framewise_encoding = theirs.use_framewise_decoding = True
    yield ours, theirs
    theirs.use_tiling = theirs.use_framewise_encoding = theirs.use_framewise_decoding = False


def error(given: Tensor, wanted: Tensor) -> float:
    assert given.shape == wanted.shape
    return float((given - wanted).abs().max() / wanted.std())


def latents_for(frames: int, height: int, width: int) -> Tensor:
    return noise_latents((frames - 1) // 4 + 1, height // 8, width // 8)


@torch.no_grad()
@pytest.mark.parametrize(("frames", "height", "width"), SIZES)
def test_moments_and_decoding_are_the_peers(pair, frames: int, height: int, width: int) -> None:
    ours, theirs = pair
    pixels, latents = clip(frames, height, width, batch=2), latents_for(frames, height, width)
    given, wanted = ours.encode(pixels), theirs.encode(pixels).latent_dist
    assert error(given.mean, wanted.mean) < TOLERANCE
    assert error(given.logvar, wanted.logvar) < TOLERANCE
    assert error(ours.decode(latents), theirs.decode(latents).sample) < TOLERANCE


@torch.no_grad()
@pytest.mark.parametrize(("frames", "height", "width"), TILED_SIZES)
def test_tiled_moments_and_decoding_are_the_peers(tiled_pair, frames: int, height: int, width: int) -> None:
    ours, theirs = tiled_pair
    pixels, latents = clip(frames, height, width), latents_for(frames, height, width)
    given, wanted = encode_tiled(ours, pixels, TILING), theirs.encode(pixels).latent_dist
    assert error(given.mean, wanted.mean) < TOLERANCE
    assert error(given.logvar, wanted.logvar) < TOLERANCE
    assert error(decode_tiled(ours, latents, TILING), theirs.decode(latents).sample) < TOLERANCE


@torch.no_grad()
def test_the_peers_default_tiles_are_ours() -> None:
    """16x320 px and 21 frames: three tiles, in time and in width, with the smallest network that has the strides."""
    ours = small_vae(block_channels=(2, 2, 2, 2), layers_per_block=1, norm_groups=1)
    theirs = diffusers.AutoencoderKLHunyuanVideo(block_out_channels=(2, 2, 2, 2), layers_per_block=1, norm_num_groups=1)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    theirs.enable_tiling()
    latents = noise_latents(6, 2, 40)
    given, wanted = decode_tiled(ours, latents, DIFFUSERS_TILING), theirs.eval().decode(latents).sample
    torch.testing.assert_close(given, wanted, rtol=0, atol=1e-5)


def test_defaults_are_the_peers() -> None:
    with torch.device("meta"):
        theirs = diffusers.AutoencoderKLHunyuanVideo()
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 246_478_803
    assert theirs.config.scaling_factor == SMALL.scaling_factor
