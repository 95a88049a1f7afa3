"""Conversion is lossless both ways, sharded or not, and all or nothing."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from muybridge.core.errors import InvalidInput, RunFailed, WeightsError
from muybridge.transformer import Transformer
from muybridge.vae import VAEConfig
from muybridge.weights.convert import convert
from muybridge.weights.load import load_transformer, load_vae
from muybridge.weights.registry import NETWORKS
from muybridge.weights.save import save_model
from muybridge.weights.target import Target
from tests.weights.small import (
    BESIDE,
    SYSTEM,
    TRANSFORMER,
    flip_bit,
    same,
    small_state,
    small_transformer,
    small_vae,
    system,
    write_plain,
)  # fmt: skip

SYSTEM_NETWORKS = [name for name, _ in SYSTEM.values()]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "t.safetensors"
    save_model(small_transformer(), path)
    return path


@pytest.mark.parametrize("max_shard_bytes", [10**9, 100_000])
def test_there_and_back_keeps_every_bit(max_shard_bytes: int, saved: Path, tmp_path: Path):
    there = convert(saved, tmp_path / "d", target=Target(layout="diffusers", max_shard_bytes=max_shard_bytes))
    assert (there.source_layout, there.layout, there.kind) == ("official", "diffusers", "transformer")
    assert all(file.is_file() for file in there.files) and (tmp_path / "d" / "config.json") in there.files
    back = convert(tmp_path / "d", tmp_path / "o", target=Target(max_shard_bytes=max_shard_bytes))
    assert (back.num_tensors, back.num_parameters) == (len(load_file(saved)), there.num_parameters)
    for path in (tmp_path / "d", tmp_path / "o"):
        assert same(load_transformer(path), small_transformer())
    single = convert(tmp_path / "d", tmp_path / "s.safetensors", target=Target())
    assert single.files == (tmp_path / "s.safetensors",)
    assert (tmp_path / "s.safetensors").read_bytes() == saved.read_bytes()


def test_shards_stay_under_the_limit(saved: Path, tmp_path: Path):
    convert(saved, tmp_path / "d", target=Target(layout="diffusers", max_shard_bytes=60_000))
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
    convert(tmp_path / "t.pt", tmp_path / "kept.safetensors", target=Target())
    kept = load_file(tmp_path / "kept.safetensors")
    assert all(torch.equal(kept[key], tensor) and kept[key].dtype == tensor.dtype for key, tensor in state.items())
    convert(tmp_path / "t.pt", tmp_path / "half.safetensors", target=Target(dtype=torch.float16))
    assert {tensor.dtype for tensor in load_file(tmp_path / "half.safetensors").values()} == {torch.float16}


def test_the_vae_goes_there_and_back(tmp_path: Path):
    vae = small_vae(VAEConfig(block_channels=(4, 4, 8, 8), layers_per_block=1, norm_groups=2))
    save_model(vae, tmp_path / "v.safetensors")
    convert(tmp_path / "v.safetensors", tmp_path / "d", target=Target(layout="diffusers"))
    convert(tmp_path / "d", tmp_path / "o", target=Target())
    for path in (tmp_path / "d", tmp_path / "o"):
        assert same(load_vae(path), vae) and load_vae(path).config == vae.config


def test_a_model_that_diffusers_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    with pytest.raises(InvalidInput, match="norm=frame"):
        convert(tmp_path / "v.safetensors", tmp_path / "d", target=Target(layout="diffusers"))
    assert not (tmp_path / "d").exists()


def test_a_taken_destination_is_refused(saved: Path, tmp_path: Path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("")
    with pytest.raises(InvalidInput, match="there already"):
        convert(saved, tmp_path / "d", target=Target(layout="diffusers"))
    with pytest.raises(InvalidInput, match="layout is a folder"):
        convert(saved, tmp_path / "d.safetensors", target=Target(layout="diffusers"))
    with pytest.raises(InvalidInput, match="max_shard_bytes"):
        convert(saved, tmp_path / "e", target=Target(max_shard_bytes=0))


class Stop(Exception):
    """What a kill is to a conversion: it ends in the middle of whatever it does."""


def stop_after(num_calls: int, stage: str = "writing") -> Callable[[str, int, int], None]:
    """Progress that ends the conversion at this stage's so-manieth step."""
    seen = 0

    def on_progress(name: str, _done: int, _total: int) -> None:
        nonlocal seen
        seen += name == stage
        if seen == num_calls:
            raise Stop

    return on_progress


@pytest.mark.parametrize("destination", ["d", "d.safetensors"])
@pytest.mark.parametrize("damage", [0, 7, 5_000])
def test_a_killed_conversion_continues_and_ends_alike(destination: str, damage: int, saved: Path, tmp_path: Path):
    """Bytes that a crash took from the file in progress are written anew, whole shards are kept."""
    target = Target(max_shard_bytes=200_000)
    convert(saved, tmp_path / "whole" / destination, target=target)
    for num_calls in (10, 40):
        with pytest.raises(Stop):
            convert(saved, tmp_path / destination, on_progress=stop_after(num_calls), target=target)
        assert not (tmp_path / destination).exists()
        newest = max((tmp_path / f"{destination}.partial" / "work").iterdir(), key=lambda file: file.stat().st_mtime_ns)
        os.truncate(newest, max(0, newest.stat().st_size - damage))
    done = convert(saved, tmp_path / destination, target=target)
    assert (done.kept_bytes > 0) is (destination == "d") and not (tmp_path / f"{destination}.partial").exists()
    for file in done.files:
        assert file.read_bytes() == (tmp_path / "whole" / file.relative_to(tmp_path)).read_bytes()


def test_a_kill_while_reading_back_keeps_what_is_written(saved: Path, tmp_path: Path):
    with pytest.raises(Stop):
        convert(saved, tmp_path / "d", target=Target(layout="diffusers"), on_progress=stop_after(1, "reading back"))
    stages: list[str] = []
    convert(
        saved, tmp_path / "d", target=Target(layout="diffusers"), on_progress=lambda stage, *_: stages.append(stage)
    )
    assert set(stages) == {"checking", "reading back"} and same(load_transformer(tmp_path / "d"), small_transformer())


def test_a_finished_shard_that_the_disk_damaged_is_noticed(saved: Path, tmp_path: Path):
    with pytest.raises(Stop):
        convert(saved, tmp_path / "d.safetensors", target=Target(), on_progress=stop_after(1, "reading back"))
    file = tmp_path / "d.safetensors.partial" / "work" / "d.safetensors"
    flip_bit(file, file.stat().st_size - 9)
    with pytest.raises(WeightsError, match="work/d.safetensors: .*remove this file and convert again"):
        convert(saved, tmp_path / "d.safetensors", target=Target())
    file.unlink()
    convert(saved, tmp_path / "d.safetensors", target=Target())
    assert (tmp_path / "d.safetensors").read_bytes() == saved.read_bytes()


def test_another_conversion_does_not_continue_this_one(saved: Path, tmp_path: Path):
    with pytest.raises(Stop):
        convert(saved, tmp_path / "d", target=Target(), on_progress=stop_after(3))
    os.utime(saved, (1, 1))  # as a source that was written anew
    for target in (Target(layout="diffusers"), Target(dtype=torch.bfloat16), Target()):
        with pytest.raises(InvalidInput, match="d.partial: holds the beginning of another conversion"):
            convert(saved, tmp_path / "d", target=target)


def test_a_dry_run_says_what_it_would_write_and_writes_nothing(saved: Path, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    target = Target(layout="diffusers", dtype=torch.bfloat16, max_shard_bytes=50_000)
    planned = convert(saved, tmp_path / "d", is_dry_run=True, target=target)
    assert sorted(tmp_path.rglob("*")) == before
    assert replace(convert(saved, tmp_path / "d", target=target), is_dry_run=True) == planned
    written = sum(file.stat().st_size for file in planned.files if file.suffix == ".safetensors")
    assert written == planned.num_bytes


def test_a_full_disk_is_said_before_anything_is_written(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidInput, match="free: the weights of d need .*; free space"):
        convert(saved, tmp_path / "d", target=Target(layout="diffusers"))
    assert sorted(tmp_path.rglob("*")) == before


def test_one_destination_is_written_by_one_run_at_a_time(saved: Path, tmp_path: Path):
    """The second is refused and does not harm the first."""
    refusals: list[str] = []

    def on_progress(stage: str, _done: int, _total: int) -> None:
        if stage == "writing" and not refusals:
            with pytest.raises(RunFailed, match="d.partial: another run is writing here") as caught:
                convert(saved, tmp_path / "d", target=Target())
            refusals.append(str(caught.value))

    convert(saved, tmp_path / "d", target=Target(), on_progress=on_progress)
    assert refusals and same(load_transformer(tmp_path / "d"), small_transformer())
    assert not (tmp_path / "d.partial").exists()


def test_an_error_at_the_source_leaves_nothing_behind(saved: Path, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    flip_bit(saved, saved.stat().st_size - 9)
    with pytest.raises(WeightsError, match="damaged"):
        convert(saved, tmp_path / "d", target=Target(layout="diffusers"))
    assert sorted(tmp_path.rglob("*")) == before


def test_the_release_converts_by_shape_alone(tmp_path: Path):
    """No config anywhere but heads of 128 channels: everything else is read off."""
    config = replace(TRANSFORMER, hidden_size=128, num_heads=1, rope_axes_dim=(16, 56, 56), num_double_blocks=1)
    model = Transformer(config)
    torch.save({"module": model.state_dict()}, tmp_path / "mp_rank_00_model_states.pt")
    convert(tmp_path, tmp_path / "d", target=Target(layout="diffusers"))
    loaded = load_transformer(tmp_path / "d")
    assert same(loaded, model) and loaded.config == config


@pytest.mark.parametrize("name", SYSTEM_NETWORKS)
def test_each_part_of_a_file_with_a_whole_system_converts_alone(name: str, tmp_path: Path):
    network = next(network for network in NETWORKS if network.name == name)
    (tmp_path / "config.json").write_text(json.dumps(BESIDE[name]))
    file = write_plain(tmp_path / "all.safetensors", system())
    done = convert(file, tmp_path / "part.safetensors", target=Target(), kind=network.kind)
    written, state = load_file(tmp_path / "part.safetensors"), small_state(network)
    assert done.kind == network.kind and written.keys() == state.keys()
    assert all(torch.equal(written[key], tensor) for key, tensor in state.items())


def test_a_part_is_named_where_there_are_several_and_must_be_there(saved: Path, tmp_path: Path):
    file = write_plain(tmp_path / "all.safetensors", system())
    with pytest.raises(WeightsError, match="holds several models; say which of transformer, vae"):
        convert(file, tmp_path / "d", target=Target())
    with pytest.raises(WeightsError, match="holds a transformer, not a vae"):
        convert(saved, tmp_path / "d", target=Target(), kind="vae")
