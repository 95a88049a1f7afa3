"""Conversion is lossless both ways, sharded or not, and all or nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.transformer import Transformer
from muybridge.vae import VAEConfig
from muybridge.weights.convert import convert
from muybridge.weights.load import load_transformer, load_vae
from muybridge.weights.save import save_model
from tests.weights.small import TRANSFORMER, flip_bit, same, small_transformer, small_vae


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "t.safetensors"
    save_model(small_transformer(), path)
    return path


@pytest.mark.parametrize("max_shard_bytes", [10**9, 50_000, 1])
def test_there_and_back_keeps_every_bit(max_shard_bytes: int, saved: Path, tmp_path: Path):
    there = convert(saved, tmp_path / "d", layout="diffusers", max_shard_bytes=max_shard_bytes)
    assert (there.source_layout, there.layout, there.kind) == ("official", "diffusers", "transformer")
    assert all(file.is_file() for file in there.files) and (tmp_path / "d" / "config.json") in there.files
    back = convert(tmp_path / "d", tmp_path / "o", layout="official", max_shard_bytes=max_shard_bytes)
    assert (back.num_tensors, back.num_parameters) == (len(load_file(saved)), there.num_parameters)
    for path in (tmp_path / "d", tmp_path / "o"):
        assert same(load_transformer(path), small_transformer())
    single = convert(tmp_path / "d", tmp_path / "s.safetensors", layout="official")
    assert single.files == (tmp_path / "s.safetensors",)
    assert (tmp_path / "s.safetensors").read_bytes() == saved.read_bytes()


def test_shards_stay_under_the_limit(saved: Path, tmp_path: Path):
    convert(saved, tmp_path / "d", layout="diffusers", max_shard_bytes=60_000)
    shards = [load_file(file) for file in sorted((tmp_path / "d").glob("*.safetensors"))]
    assert len(shards) > 3
    for shard in shards:
        assert len(shard) == 1 or sum(tensor.nbytes for tensor in shard.values()) <= 60_000
    index = json.loads((tmp_path / "d" / "diffusion_pytorch_model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == {key for shard in shards for key in shard}


def test_dtypes_are_kept_tensor_by_tensor_unless_one_is_asked_for(tmp_path: Path):
    state = small_transformer().state_dict()
    state["final_layer.linear.weight"] = state["final_layer.linear.weight"].bfloat16()
    torch.save(state, tmp_path / "t.pt")
    (tmp_path / "config.json").write_text('{"rope_axes_dim": [4, 6, 6]}')
    convert(tmp_path / "t.pt", tmp_path / "kept.safetensors", layout="official")
    kept = load_file(tmp_path / "kept.safetensors")
    assert all(torch.equal(kept[key], tensor) and kept[key].dtype == tensor.dtype for key, tensor in state.items())
    convert(tmp_path / "t.pt", tmp_path / "half.safetensors", layout="official", dtype=torch.float16)
    assert {tensor.dtype for tensor in load_file(tmp_path / "half.safetensors").values()} == {torch.float16}


def test_the_vae_goes_there_and_back(tmp_path: Path):
    vae = small_vae(VAEConfig(block_channels=(4, 4, 8, 8), layers_per_block=1, norm_groups=2))
    save_model(vae, tmp_path / "v.safetensors")
    convert(tmp_path / "v.safetensors", tmp_path / "d", layout="diffusers")
    convert(tmp_path / "d", tmp_path / "o", layout="official")
    for path in (tmp_path / "d", tmp_path / "o"):
        assert same(load_vae(path), vae) and load_vae(path).config == vae.config


def test_a_model_that_diffusers_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    with pytest.raises(InvalidInput, match="norm=frame"):
        convert(tmp_path / "v.safetensors", tmp_path / "d", layout="diffusers")
    assert not (tmp_path / "d").exists()


def test_a_taken_destination_is_refused(saved: Path, tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("")
    with pytest.raises(InvalidInput, match="there already"):
        convert(saved, tmp_path / "d", layout="diffusers")
    with pytest.raises(InvalidInput, match="is a folder"):
        convert(saved, tmp_path / "d.safetensors", layout="diffusers")
    with pytest.raises(InvalidInput, match="max_shard_bytes"):
        convert(saved, tmp_path / "e", layout="official", max_shard_bytes=0)


def test_an_error_leaves_nothing_behind(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The tree after a failure, at the source or in the middle of writing, is the tree before."""
    before = sorted(tmp_path.rglob("*"))

    def interrupted(*_: object, **__: object) -> torch.Tensor:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch.Tensor, "roll", interrupted)  # in the last of several shards
        convert(saved, tmp_path / "d", layout="diffusers", max_shard_bytes=50_000)
    assert sorted(tmp_path.rglob("*")) == before
    flip_bit(saved, saved.stat().st_size - 9)
    with pytest.raises(WeightsError, match="damaged"):
        convert(saved, tmp_path / "d", layout="diffusers")
    assert sorted(tmp_path.rglob("*")) == before


def test_the_release_converts_by_shape_alone(tmp_path: Path):
    """No config anywhere but heads of 128 channels: everything else is read off."""
    config = replace(TRANSFORMER, hidden_size=128, num_heads=1, rope_axes_dim=(16, 56, 56), num_double_blocks=1)
    model = Transformer(config)
    torch.save({"module": model.state_dict()}, tmp_path / "mp_rank_00_model_states.pt")
    convert(tmp_path, tmp_path / "d", layout="diffusers")
    loaded = load_transformer(tmp_path / "d")
    assert same(loaded, model) and loaded.config == config
