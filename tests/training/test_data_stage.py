"""Training on what `encode` wrote: buckets in turns, held-out samples apart, an interrupted run goes on bit for bit."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from muybridge.core.errors import InvalidInput
from muybridge.data.buckets import BucketsConfig
from muybridge.data.encoders import vae_identity
from muybridge.text.encoder import HashEncoder
from muybridge.training.config import OptimizerConfig, RunConfig
from muybridge.training.data_stage import HELD_OUT_SET, empty_states, train_flow_on_data, training_set
from muybridge.training.scales import Scale
from muybridge.training.stages import FlowStage
from muybridge.training.tasks.flow_matching import FlowConfig
from muybridge.transformer import TransformerConfig
from muybridge.weights.load import load_transformer
from muybridge.weights.save import save_model
from tests.data.small import small_vae
from tests.data.test_encode import make_data, run

TEXT = HashEncoder(text_dim=6, pooled_dim=6)


def stage(num_steps: int) -> FlowStage:
    network = TransformerConfig(
        in_channels=4, out_channels=4, hidden_size=16, num_heads=2, num_double_blocks=1, num_single_blocks=0,
        num_refiner_blocks=1, rope_axes_dim=(2, 2, 4), rope_theta=16.0, text_dim=6, pooled_dim=6, has_guidance=False,
    )  # fmt: skip
    run = RunConfig(
        num_steps=num_steps, batch_size=2, num_micro_batches=2, is_bf16=False, checkpoint_every_steps=2, trackers=(),
        validate_every_steps=2, optimizer=OptimizerConfig(warmup_steps=1),
    )  # fmt: skip
    return FlowStage(transformer=network, flow=FlowConfig(image_share=0.0, held_share=0.5), run=run)


def test_a_longer_run_on_data_continues_a_shorter_one_bit_for_bit(tmp_path: Path) -> None:
    data = tmp_path / "encoded"
    run(make_data(tmp_path / "data", films=3, pictures=2), data)
    weights = []
    for folder, steps in (("cut", (2, 4)), ("whole", (4,))):
        for num_steps in steps:
            path = train_flow_on_data(stage(num_steps), tmp_path / folder, data=data, text=TEXT)
        weights.append(load_transformer(path).state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_held_out_set_is_validated_on_and_not_trained_on(tmp_path: Path) -> None:
    data = tmp_path / "encoded"
    run(make_data(tmp_path / "data", films=2, pictures=0), data)
    train_flow_on_data(stage(2), tmp_path / "seen", data=data, text=TEXT)
    run(make_data(tmp_path / "other", films=3, pictures=0), data, name=HELD_OUT_SET)
    train_flow_on_data(stage(2), tmp_path / "apart", data=data, text=TEXT)
    first, second = (figures(tmp_path / name) for name in ("seen", "apart"))
    assert first["val"] != second["val"]
    with pytest.raises(InvalidInput, match="no such encoded set"):
        train_flow_on_data(stage(2), tmp_path / "none", data=data, name="mine", text=TEXT)


def figures(folder: Path) -> dict[str, float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return next(line for line in map(json.loads, lines) if "val" in line)


def test_a_run_on_data_shows_what_it_draws_with_the_vae_that_encoded(tmp_path: Path) -> None:
    data, vae = tmp_path / "encoded", tmp_path / "vae.safetensors"
    run(make_data(tmp_path / "data", films=1, pictures=1), data)
    save_model(small_vae(), vae)
    assert training_set(data).vae_identity() == vae_identity(small_vae())
    shown = replace(stage(2), run=replace(stage(2).run, sample_every_steps=2))
    train_flow_on_data(shown, tmp_path / "run", data=data, text=TEXT, vae=vae)
    assert [path.name for path in (tmp_path / "run" / "samples").iterdir()] == ["step-0000002-32x32.png"]


def test_the_empty_caption_is_the_encoders_own() -> None:
    states, wanted = empty_states(TEXT), TEXT.encode([""], num_frames=1)
    assert torch.equal(states.states, wanted.states) and bool(states.mask.all())


def test_the_largest_batch_is_that_of_the_most_tokens() -> None:
    run = RunConfig(batch_size=4)
    assert FlowStage(run=run, size_px=64).largest() == ((5, 8, 8), 4)
    scales = (Scale(size_px=64, num_frames=17, batch_size=8), Scale(size_px=128, num_frames=1, batch_size=4))
    assert FlowStage(run=run, scales=scales).largest() == ((5, 8, 8), 8)
    buckets = BucketsConfig(resolutions=((256, 256), (1280, 720)), num_aspects=1, frames=(1, 129))
    assert FlowStage(run=run, buckets=buckets).largest() == ((33, 90, 160), 4)
