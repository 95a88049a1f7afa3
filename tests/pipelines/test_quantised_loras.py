"""A LoRA on weights that their file holds quantised acts as on the same weights decoded."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from muybridge.acceleration.quantise.layers import QuantisedLinear
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import InvalidInput
from muybridge.pipelines.transformers import transformer_from
from muybridge.transformer import Transformer
from muybridge.weights.load import load_transformer
from muybridge.weights.lora import ActiveLora, LoraStack, read_lora
from muybridge.weights.storage.write_gguf import write_gguf
from muybridge.weights.stored import from_tensor
from tests.weights.lora.formats import FORMATS
from tests.weights.lora.test_formats import distance, velocity
from tests.weights.small import BESIDE
from tests.weights.storage.samples import SAMPLES, state

TOLERANCE = 1e-5  # of float32 networks


def in_gguf(path: Path) -> Path:
    write_gguf(path.with_suffix(".gguf"), {key: from_tensor(tensor, path) for key, tensor in state().items()})
    return path.with_suffix(".gguf")


def as_sample(name: str) -> Callable[[Path], Path]:
    return lambda path: SAMPLES[name].write(state()).save(path)


FILES = {
    "fp8 scaled": as_sample("ComfyUI, old"),
    "fp8 scaled, rows": as_sample("musubi, rows"),
    "int8": as_sample("ComfyUI, int8"),
    "nf4": as_sample("nf4"),
    "GGUF": in_gguf,
}


def merged(path: Path, changes: dict[str, torch.Tensor]) -> Transformer:
    network = load_transformer(path, dtype=torch.float32).double()
    parameters = dict(network.named_parameters())
    for key, change in changes.items():
        parameters[key].add_(change.reshape(parameters[key].shape))
    return network


@pytest.mark.parametrize("is_packed", [False, True], ids=["decoded", "packed"])
@pytest.mark.parametrize("name", FILES)
def test_a_lora_acts_on_a_quantised_file_as_on_its_decoded_weights(name: str, is_packed: bool, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(BESIDE["hunyuanvideo"]))
    path, case = FILES[name](tmp_path / "model.safetensors"), FORMATS["kohya, musubi-tuner"]()
    run = RunSettings(weights="disk" if is_packed else "device")
    network, _ = transformer_from(path, dtype=torch.float32, device=torch.device("cpu"), run=run)
    assert any(isinstance(module, QuantisedLinear) for module in network.modules()) is is_packed
    plain, expected = velocity(network), velocity(merged(path, case.changes))
    stack = LoraStack(network)
    stack.set([ActiveLora(lora=read_lora(case.save(tmp_path)))])
    assert distance(velocity(network), expected) <= TOLERANCE < distance(plain, expected)
    if is_packed:
        with pytest.raises(InvalidInput):
            stack.fuse()
    else:
        stack.fuse()
        assert distance(velocity(network), expected) <= TOLERANCE
        stack.unfuse()
    stack.clear()
    assert torch.equal(velocity(network), plain)
