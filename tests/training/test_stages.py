"""The stages hand over: a VAE from principal components, a cache, a transformer, each continued bit for bit."""

from pathlib import Path

import torch

from muybridge.data.cache import CacheConfig
from muybridge.data.clips import ClipsConfig, WorldFootage
from muybridge.text.encoder import HashEncoder
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.stages import CacheStage, FlowStage, VAEStage, build_caches, train_flow, train_vae
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.transformer import TransformerConfig
from muybridge.weights.load import load_transformer, load_vae
from tests.data.small import SIZE_PX, small_vae_config, small_world

TEXT = HashEncoder(text_dim=6, pooled_dim=6)
FOOTAGE = WorldFootage(world=small_world())


def run(num_steps: int) -> RunConfig:
    return RunConfig(
        num_steps=num_steps, batch_size=2, is_bf16=False, checkpoint_every_steps=2, validate_every_steps=2,
        optimizer=OptimizerConfig(warmup_steps=1),
    )  # fmt: skip


def vae_stage(num_steps: int = 2) -> VAEStage:
    clips = ClipsConfig(size_px=SIZE_PX, num_frames=5)
    return VAEStage(vae=small_vae_config(), clips=clips, run=run(num_steps), num_held_out=2, held_out_frames=5)


def flow_stage(num_steps: int) -> FlowStage:
    network = TransformerConfig(
        in_channels=4, out_channels=4, hidden_size=32, num_heads=2, num_double_blocks=1, num_single_blocks=1,
        num_refiner_blocks=1, rope_axes_dim=(4, 6, 6), rope_theta=16.0, text_dim=6, pooled_dim=6, has_guidance=False,
    )  # fmt: skip
    return FlowStage(transformer=network, size_px=SIZE_PX, flow=FlowConfig(image_share=0.3), run=run(num_steps))


def caches(folder: Path) -> Path:
    vae = train_vae(vae_stage(), folder / "vae", footage=FOOTAGE)
    cache = CacheConfig(num_scenes=16, sizes_px=(SIZE_PX,), num_frames=5)
    build_caches(
        CacheStage(cache=cache, num_held_out=4), folder / "caches", world=small_world(), vae_path=vae, text=TEXT,
        text_identity="hash",
    )  # fmt: skip
    return folder / "caches"


def test_the_stages_hand_over_and_a_second_stage_starts_from_the_first(tmp_path: Path) -> None:
    latents = caches(tmp_path)
    first = train_flow(flow_stage(2), tmp_path / "first", caches=latents, text=TEXT)
    second = train_flow(flow_stage(2), tmp_path / "second", caches=latents, text=TEXT, start=first)
    before, after = load_transformer(first), load_transformer(second)
    assert before.config == after.config == flow_stage(2).transformer
    assert any(not torch.equal(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True))


def test_a_longer_run_continues_a_shorter_one_bit_for_bit(tmp_path: Path) -> None:
    latents = caches(tmp_path)
    train_flow(flow_stage(2), tmp_path / "cut", caches=latents, text=TEXT)
    cut = load_transformer(train_flow(flow_stage(4), tmp_path / "cut", caches=latents, text=TEXT))
    whole = load_transformer(train_flow(flow_stage(4), tmp_path / "whole", caches=latents, text=TEXT))
    assert all(torch.equal(a, b) for a, b in zip(cut.parameters(), whole.parameters(), strict=True))


def test_the_saved_vae_scales_its_latents_to_unit_size(tmp_path: Path) -> None:
    vae = load_vae(train_vae(vae_stage(), tmp_path, footage=FOOTAGE))
    pixels = torch.rand(1, 3, 5, SIZE_PX, SIZE_PX) * 2 - 1
    assert vae.config.scaling_factor > 0
    assert vae.decode(vae.encode(pixels).mode()).shape == pixels.shape
