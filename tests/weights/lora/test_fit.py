"""A LoRA's changes come to the layer that they change, whole or not at all."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from muybridge.core.errors import WeightsError
from muybridge.ops.adapted import Shift
from muybridge.ops.lora import Delta, LowRank
from muybridge.weights.lora import ActiveLora, LoraStack, read_lora, save_lora
from muybridge.weights.lora.fit import bound
from muybridge.weights.lora.form import Lora

NAME = "double_blocks.0.img_mlp.fc1"
FACTORS = {"lora_A.weight": torch.ones(2, 4), "lora_B.weight": torch.ones(8, 2)}


def low_rank() -> LowRank:
    return LowRank(torch.ones(2, 4), torch.ones(8, 2))


def written(folder: Path, ends: dict[str, torch.Tensor]) -> Path:
    path = folder / "lora.safetensors"
    save_file({f"diffusion_model.{NAME}.{end}": tensor for end, tensor in ends.items()}, path)
    return path


def test_changes_come_to_the_layers_device():
    lora = Lora(
        path=Path("memory"),
        format="",
        deltas={NAME: (Delta(low_rank(), magnitude=torch.ones(8, 1)),)},
        shifts={"norm": Shift({"weight": torch.ones(4)})},
        values={f"{NAME}.bias": torch.ones(8)},
    )
    with torch.device("meta"):
        layers = {NAME: nn.Linear(4, 8), "norm": nn.LayerNorm(4)}
    changes = [change for name, layer in layers.items() for change in bound(lora, name, layer)]
    tensors = [tensor for change in changes for tensor in [*change.parameters(), *change.buffers()]]
    assert len(changes) == 3 and {tensor.device.type for tensor in tensors} == {"meta"}


def test_a_fusing_that_fails_leaves_no_layer_changed():
    model = nn.ModuleDict({"a": nn.Linear(4, 8), "b": nn.Linear(4, 8)})
    plain = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    stack = LoraStack(model)
    lora = Lora(path=Path("memory"), format="", deltas={name: (Delta(low_rank()),) for name in "ab"})
    stack.set([ActiveLora(lora=lora)])
    model.get_submodule("b.base").weight = nn.Parameter(torch.zeros(3, 5))  # as if another hand had been at it
    with pytest.raises(WeightsError):
        stack.fuse()
    assert not stack.is_fused and torch.equal(model.state_dict()["a.weight"], plain["a.weight"])


def test_a_bias_alone_is_not_written_where_it_cannot_be_read(tmp_path: Path):
    lora = Lora(path=tmp_path / "lora", format="", deltas={NAME: (Delta(None, bias=torch.ones(8)),)})
    with pytest.raises(WeightsError, match="choose kohya or comfy"):
        save_lora(lora, tmp_path / "diffusers.safetensors", layout="diffusers")
    save_lora(lora, tmp_path / "comfy.safetensors", layout="comfy")
    assert read_lora(tmp_path / "comfy.safetensors").modules == (NAME,)


@pytest.mark.parametrize(
    "ends",
    [
        {**FACTORS, "lora_B.bias": torch.ones(8), "diff_b": torch.ones(8)},
        {"lokr_w1": torch.ones(2, 2), "lokr_w1_a": torch.ones(2, 1), "lokr_w2": torch.ones(4, 2)},
    ],
    ids=["two changes of a bias", "a side whole and in factors"],
)
def test_what_a_file_says_twice_is_refused(ends: dict[str, torch.Tensor], tmp_path: Path):
    with pytest.raises(WeightsError, match="keep one"):
        read_lora(written(tmp_path, ends))
