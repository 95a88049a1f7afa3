"""A report tells what a file is, and why it will not load."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.core.config import to_dict
from muybridge.core.errors import WeightsError
from muybridge.core.files import sha256
from muybridge.transformer import TransformerConfig
from muybridge.weights.report import describe, describe_all
from muybridge.weights.save import own_metadata, save_model, write_safetensors
from muybridge.weights.storage.write import fp8_scaled
from muybridge.weights.stored import from_tensor
from tests.weights.small import TRANSFORMER, flip_bit, small_transformer, small_vae, system, write_plain
from tests.weights.sparse import sparse_release


def test_the_report_counts_what_is_there(tmp_path: Path):
    model = small_transformer()
    save_model(model, tmp_path / "transformer.safetensors", dtype=torch.bfloat16, metadata={"steps": "7"})
    report = describe(tmp_path / "transformer.safetensors")
    num = sum(parameter.numel() for parameter in model.parameters())
    assert (report.kind, report.layout, report.problem) == ("transformer", "official", None)
    assert (report.num_parameters, report.num_bytes, report.dtypes) == (num, 2 * num, {"bfloat16": num})
    assert report.num_tensors == len(model.state_dict()) and report.config == to_dict(TRANSFORMER)
    assert report.metadata["steps"] == "7" and len(report.sha256 or "") == 64
    assert json.loads(json.dumps(report.to_dict()))["kind"] == "transformer"


def test_a_folder_is_described_part_by_part(tmp_path: Path):
    save_model(small_transformer(), tmp_path / "transformer.safetensors")
    save_model(small_vae(), tmp_path / "vae.safetensors")
    assert [report.kind for report in describe_all(tmp_path)] == ["transformer", "vae"]
    assert [report.kind for report in describe_all(tmp_path / "vae.safetensors")] == ["vae"]


def test_an_incomplete_or_strange_model_is_described_with_its_problem(tmp_path: Path):
    state = small_transformer().state_dict()
    del state["img_in.proj.bias"]
    save_file(state, tmp_path / "a.safetensors")
    save_file({"blocks.0.weight": torch.ones(2, 3)}, tmp_path / "b.safetensors")
    incomplete, strange = (describe(tmp_path / name) for name in ("a.safetensors", "b.safetensors"))
    assert incomplete.kind == "transformer" and incomplete.problem and incomplete.config is None
    assert strange.kind is None and "blocks.0.weight" in (strange.problem or "") and strange.num_parameters == 6


def test_a_model_is_named_in_words(tmp_path: Path):
    sparse_release(tmp_path / "t.safetensors", TransformerConfig(in_channels=33))
    report = describe(tmp_path / "t.safetensors")
    assert report.what == "HunyuanVideo-I2V, latent concat (33 channels)" and report.num_tensors == 856


def test_a_download_that_was_cut_short_is_named(tmp_path: Path):
    sparse_release(tmp_path / "t.safetensors", TransformerConfig(), without=("single_blocks.39.", "final_layer."))
    problem = describe(tmp_path / "t.safetensors").problem or ""
    assert "lacks 'single_blocks.39." in problem or "lacks 'final_layer." in problem
    assert "The whole hunyuanvideo has 12,821,012,544 parameters" in problem and "\n" not in problem


def test_a_lora_is_described_as_one(tmp_path: Path):
    rank = {"lora_A.weight": torch.ones(4, 3072), "lora_B.weight": torch.ones(9216, 4)}
    save_file(
        {f"transformer.double_blocks.{i}.img_attn_qkv.{name}": t.clone() for i in range(3) for name, t in rank.items()},
        tmp_path / "lora.safetensors",
    )
    report = describe(tmp_path / "lora.safetensors")
    assert (report.kind, report.what, report.problem) == ("lora", "LoRA for HunyuanVideo", None)
    assert report.lora and report.lora["ranks"] == {4: 3} and report.lora["targets"] == {"double_blocks": "0-2"}


def test_quantised_weights_are_counted_by_scheme(tmp_path: Path):
    model = small_transformer()
    entries = {key: from_tensor(tensor, tmp_path) for key, tensor in model.state_dict().items()}
    write_safetensors(
        tmp_path / "q.safetensors", fp8_scaled(entries), metadata=own_metadata(TRANSFORMER, "transformer")
    )
    report = describe(tmp_path / "q.safetensors")
    assert report.problem is None and sum(report.quantisation.values()) > 10
    assert report.num_parameters == sum(parameter.numel() for parameter in model.parameters())
    assert report.num_bytes < 4 * report.num_parameters


def test_a_damaged_file_is_not_described(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    flip_bit(tmp_path / "v.safetensors", (tmp_path / "v.safetensors").stat().st_size - 1)
    with pytest.raises(WeightsError, match="damaged"):
        describe(tmp_path / "v.safetensors")


def test_a_file_with_a_whole_system_is_described_part_by_part(tmp_path: Path):
    file = write_plain(tmp_path / "all.safetensors", system())
    reports = describe_all(file, on_hash=lambda _: lambda _count: None)
    assert [report.kind for report in reports] == ["transformer", "vae", "text-encoder", "pooled-text-encoder"]
    assert sum(report.num_parameters for report in reports) == sum(entry.num_elements for entry in system().values())
    assert {report.hashes[str(file)] for report in reports} == {sha256(file)}
    assert describe(file, kind="vae") == replace(reports[1], hashes={})
    write_plain(file, {**system(), "stranger": from_tensor(torch.ones(1), file)})
    assert all("'stranger' is of none of its models" in (report.problem or "") for report in describe_all(file))
