"""The VAE against vectors measured on the released network, whole and tiled."""

import ast
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from muybridge.vae import VAEConfig, VideoVAE
from muybridge.vae.tiling import Tiling, decode_tiled, encode_tiled

GOLDEN = Path(__file__).parent.parent / "golden" / "vae_shared.safetensors"
TOLERANCE = 1e-4  # of the output's standard deviation: float32 rounding over the depth (measured 1e-6 to 3e-5)


@pytest.fixture(scope="module")
def metadata() -> dict[str, str]:
    with safe_open(GOLDEN, "pt") as file:
        return file.metadata()


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    with safe_open(GOLDEN, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def vae(golden: dict[str, Tensor], metadata: dict[str, str]) -> VideoVAE:
    config = VAEConfig(
        block_channels=ast.literal_eval(metadata["block_out_channels"]),
        layers_per_block=int(metadata["layers_per_block"]),
        norm_groups=int(metadata["norm_num_groups"]),
    )
    model = VideoVAE(config)
    model.load_state_dict({k.removeprefix("sd."): v for k, v in golden.items() if k.startswith("sd.")}, strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def tiling(metadata: dict[str, str]) -> Tiling:
    sample_px, sample_frames = ast.literal_eval(metadata["tile"])
    return Tiling(sample_px=sample_px, sample_frames=sample_frames)


def error(given: Tensor, wanted: Tensor) -> float:
    assert given.shape == wanted.shape
    return float((given - wanted).abs().max() / wanted.std())


@torch.inference_mode()
def test_released_moments(vae: VideoVAE, golden: dict[str, Tensor]) -> None:
    posterior = vae.encode(golden["x"])
    assert error(posterior.mean, golden["mean"]) < TOLERANCE
    assert error(posterior.logvar, golden["logvar"]) < TOLERANCE


@torch.inference_mode()
def test_released_decoding(vae: VideoVAE, golden: dict[str, Tensor]) -> None:
    assert error(vae.decode(golden["mean"]), golden["decoded"]) < TOLERANCE


@torch.inference_mode()
def test_released_tiled_encoding(vae: VideoVAE, golden: dict[str, Tensor], tiling: Tiling) -> None:
    assert error(encode_tiled(vae, golden["x"], tiling).mean, golden["tiled_mean"]) < TOLERANCE
    assert error(golden["mean"], golden["tiled_mean"]) > 100 * TOLERANCE  # so tiling is not just encoding


@torch.inference_mode()
def test_released_tiled_decoding(vae: VideoVAE, golden: dict[str, Tensor], tiling: Tiling) -> None:
    assert error(decode_tiled(vae, golden["mean"], tiling), golden["tiled_decoded"]) < TOLERANCE
    assert error(golden["decoded"], golden["tiled_decoded"]) > 100 * TOLERANCE
