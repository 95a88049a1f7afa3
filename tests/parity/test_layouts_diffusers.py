"""What diffusers saves, we load and compute alike; what we convert, diffusers loads and computes alike."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from muybridge.transformer import Conditions, Transformer
from muybridge.vae import VAEConfig
from muybridge.weights.convert import convert
from muybridge.weights.load import load_transformer, load_vae
from muybridge.weights.report import describe
from muybridge.weights.save import save_model
from muybridge.weights.target import Target
from tests.weights.small import TRANSFORMER, randomised, same, small_transformer, small_vae

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.peer

TRANSFORMER_TOLERANCE = 2e-4  # of the output's standard deviation, float32
VAE_TOLERANCE = 5e-4
VAE_SMALL = VAEConfig(block_channels=(4, 4, 8, 8), layers_per_block=1, norm_groups=2)


def peer_transformer() -> nn.Module:
    return randomised(
        diffusers.HunyuanVideoTransformer3DModel(
            num_attention_heads=2, attention_head_dim=16, num_layers=2, num_single_layers=1, num_refiner_layers=1,
            text_embed_dim=12, pooled_projection_dim=10, rope_axes_dim=(4, 6, 6),
        )
    ).eval()  # fmt: skip


def peer_vae() -> nn.Module:
    return randomised(
        diffusers.AutoencoderKLHunyuanVideo(block_out_channels=(4, 4, 8, 8), layers_per_block=1, norm_num_groups=2)
    ).eval()


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.std())


def settings(folder: Path) -> dict[str, Any]:
    """What a config.json says of the network itself."""
    fields = json.loads((folder / "config.json").read_text())
    return {name: value for name, value in fields.items() if name == "_class_name" or not name.startswith("_")}


@torch.no_grad()
def transformers_agree(ours: Transformer, theirs: nn.Module) -> bool:
    latents, text, pooled = torch.randn(2, 16, 2, 4, 6), torch.randn(2, 5, 12), torch.randn(2, 10)
    sigma = torch.tensor([0.25, 0.75])
    scale = torch.tensor([6.0, 3.0])
    expected = theirs(
        hidden_states=latents, timestep=sigma * 1000, encoder_hidden_states=text, guidance=scale * 1000,
        encoder_attention_mask=torch.ones(2, 5, dtype=torch.bool), pooled_projections=pooled, return_dict=False,
    )[0]  # fmt: skip
    velocity = ours(latents, sigma, Conditions(text=text, pooled=pooled, guidance=scale))
    return relative_error(velocity, expected) <= TRANSFORMER_TOLERANCE


def test_a_transformer_saved_by_diffusers_loads_and_agrees(tmp_path: Path):
    peer = peer_transformer()
    peer.save_pretrained(tmp_path / "transformer")
    ours = load_transformer(tmp_path)
    assert ours.config == TRANSFORMER
    assert transformers_agree(ours, peer)
    report = describe(tmp_path, kind="transformer")
    assert (report.kind, report.layout, report.problem) == ("transformer", "diffusers", None)


def test_shards_saved_by_diffusers_load_alike(tmp_path: Path):
    peer = peer_transformer()
    peer.save_pretrained(tmp_path / "one")
    peer.save_pretrained(tmp_path / "many", max_shard_size="100KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    assert same(load_transformer(tmp_path / "one"), load_transformer(tmp_path / "many"))


def test_our_transformer_converted_loads_in_diffusers_and_agrees(tmp_path: Path):
    ours = small_transformer().eval()
    save_model(ours, tmp_path / "t.safetensors")
    convert(
        tmp_path / "t.safetensors", tmp_path / "transformer", target=Target(layout="diffusers", max_shard_bytes=100_000)
    )
    peer = diffusers.HunyuanVideoTransformer3DModel.from_pretrained(tmp_path / "transformer")
    assert transformers_agree(ours, peer)


def test_through_our_layout_and_back_diffusers_gets_its_bits(tmp_path: Path):
    for name, peer in (("transformer", peer_transformer()), ("vae", peer_vae())):
        peer.save_pretrained(tmp_path / name)
        convert(tmp_path / name, tmp_path / f"{name}-ours", target=Target(layout="official"))
        convert(tmp_path / f"{name}-ours", tmp_path / f"{name}-back", target=Target(layout="diffusers"))
        back = type(peer).from_pretrained(tmp_path / f"{name}-back")
        assert same(back, peer)
        assert settings(tmp_path / f"{name}-back") == settings(tmp_path / name)


@torch.no_grad()
def test_a_vae_saved_by_diffusers_loads_and_agrees(tmp_path: Path):
    peer = peer_vae()
    peer.save_pretrained(tmp_path / "vae")
    ours = load_vae(tmp_path)
    assert ours.config == VAE_SMALL
    pixels, latents = torch.rand(1, 3, 5, 16, 24) * 2 - 1, torch.randn(1, 16, 2, 2, 3)
    posterior = peer.encode(pixels).latent_dist
    assert relative_error(ours.encode(pixels).mean, posterior.mean) <= VAE_TOLERANCE
    assert relative_error(ours.encode(pixels).logvar, posterior.logvar) <= VAE_TOLERANCE
    assert relative_error(ours.decode(latents), peer.decode(latents).sample) <= VAE_TOLERANCE


@torch.no_grad()
def test_our_vae_converted_loads_in_diffusers_and_agrees(tmp_path: Path):
    ours = small_vae(VAE_SMALL)
    save_model(ours, tmp_path / "v.safetensors")
    convert(tmp_path / "v.safetensors", tmp_path / "vae", target=Target(layout="diffusers"))
    peer = diffusers.AutoencoderKLHunyuanVideo.from_pretrained(tmp_path / "vae")
    latents = torch.randn(1, 16, 2, 2, 3)
    assert relative_error(ours.decode(latents), peer.decode(latents).sample) <= VAE_TOLERANCE
