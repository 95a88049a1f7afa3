"""A report tells what a file is, and why it will not load."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from muybridge.core.config import to_dict
from muybridge.core.errors import WeightsError
from muybridge.weights.report import describe, describe_all
from muybridge.weights.save import save_model
from tests.weights.small import TRANSFORMER, flip_bit, small_transformer, small_vae


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


def test_a_damaged_file_is_not_described(tmp_path: Path):
    save_model(small_vae(), tmp_path / "v.safetensors")
    flip_bit(tmp_path / "v.safetensors", (tmp_path / "v.safetensors").stat().st_size - 1)
    with pytest.raises(WeightsError, match="damaged"):
        describe(tmp_path / "v.safetensors")
