"""A layer that keeps what its file holds decodes, in every format, the outputs it is asked for."""

import pytest
import torch
from torch import nn

from muybridge.acceleration.quantise import keep_packed
from muybridge.ops.outputs import outputs
from muybridge.weights.files import open_checkpoint
from muybridge.weights.storage import plain
from tests.weights.storage.samples import SAMPLES

NAME, BIAS = "double_blocks.0.img_attn_proj.weight", "double_blocks.0.img_attn_proj.bias"
ROWS, COLUMNS = 256, 128  # rows in two tiles of scales


@pytest.mark.parametrize("name", SAMPLES)
@torch.no_grad()
def test_some_outputs_of_a_packed_layer_are_those_of_the_whole(name, tmp_path):
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(ROWS, COLUMNS, generator=generator).bfloat16(), torch.ones(ROWS)
    raw = SAMPLES[name].write({NAME: weight, BIAS: bias})  # some formats tell the shape by the bias alone
    checkpoint, _ = plain(open_checkpoint(raw.save(tmp_path / "a.safetensors")))
    packed = checkpoint.entries[NAME].packed
    assert packed is not None
    model = nn.ModuleDict({"linear": nn.Linear(COLUMNS, ROWS, device="meta")})
    parts = keep_packed(model, {"linear.weight": packed})
    model.load_state_dict({key: part.read() for key, part in parts.items()} | {"linear.bias": bias}, assign=True)
    x = torch.randn(3, COLUMNS, generator=generator)
    torch.testing.assert_close(outputs(model["linear"], x, first=128, num=64), model["linear"](x)[:, 128:192])
