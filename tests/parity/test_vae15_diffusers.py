"""HunyuanVideo-1.5's VAE against diffusers', the same random weights in both, through files."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.vae import ShuffleVAE, ShuffleVAEConfig
from muybridge.weights.convert import convert
from muybridge.weights.load import load_model, load_vae
from muybridge.weights.save import save_model
from muybridge.weights.target import Target
from tests.vae.small import clip, small_shuffle_vae
from tests.weights.small import same

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.peer

TOLERANCE = 1e-5  # of the output's standard deviation (measured 4e-6); 5e-4 is the promise
SIZES = [(1, 16, 32), (5, 32, 16), (13, 16, 32)]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[ShuffleVAE, Any, Path]:
    """Ours, diffusers' from what we convert, and the folder of that."""
    folder = tmp_path_factory.mktemp("vae")
    ours = small_shuffle_vae()
    save_model(ours, folder / "ours.safetensors")
    convert(folder / "ours.safetensors", folder / "vae", target=Target(layout="diffusers"))
    return ours, diffusers.AutoencoderKLHunyuanVideo15.from_pretrained(folder / "vae"), folder


def error(given: Tensor, wanted: Tensor) -> float:
    assert given.shape == wanted.shape
    return float((given - wanted).abs().max() / wanted.std())


@torch.no_grad()
@pytest.mark.parametrize(("frames", "height", "width"), SIZES)
def test_moments_and_decoding_are_the_peers(pair, frames: int, height: int, width: int):
    """One clip at a time: of two, the peer of diffusers 0.42 cannot build its mask."""
    ours, theirs, _ = pair
    pixels = clip(frames, height, width)
    given, wanted = ours.encode(pixels), theirs.encode(pixels).latent_dist
    assert error(given.mean, wanted.mean) < TOLERANCE
    assert error(given.logvar, wanted.logvar) < TOLERANCE
    assert error(ours.decode(given.mean), theirs.decode(given.mean).sample) < TOLERANCE


def test_what_the_peer_saves_loads_with_every_bit(pair, tmp_path: Path):
    ours, theirs, _ = pair
    theirs.save_pretrained(tmp_path / "vae")
    loaded = load_model(tmp_path, kind="vae")
    assert isinstance(loaded, ShuffleVAE) and loaded.config == ours.config and same(loaded, ours)
    with pytest.raises(WeightsError, match="holds a ShuffleVAE, where a VideoVAE is needed"):
        load_vae(tmp_path)


def test_defaults_are_the_peers():
    with torch.device("meta"):
        theirs = diffusers.AutoencoderKLHunyuanVideo15()
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 1_260_634_115
    assert theirs.config.scaling_factor == ShuffleVAEConfig().scaling_factor
