"""However a transformer is run, from whatever its file is, it computes what the resident one does."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

import muybridge
from muybridge.acceleration.modulation import modulations
from muybridge.acceleration.quantise.layers import QuantisedLinear
from muybridge.acceleration.settings import RunSettings
from muybridge.core.errors import InvalidInput
from muybridge.pipelines.transformers import transformer_from
from muybridge.transformer import Transformer
from muybridge.weights.convert import convert
from muybridge.weights.load import load_transformer
from muybridge.weights.save import save_model
from muybridge.weights.target import Target
from tests.pipelines.tiny import SMALL, model_folder
from tests.transformer.networks import conditions, latents, network

CPU = torch.device("cpu")
FILES = {  # what lies on the disk: (name, how it is written)
    "official": ("a.safetensors", Target()),
    "diffusers, sharded": ("a", Target(layout="diffusers", max_shard_bytes=40_000)),
    "comfy": ("a.safetensors", Target(layout="comfy")),
    "fp8": ("a.safetensors", Target(quantise="fp8-scaled")),
    "GGUF": ("a.gguf", Target(quantise="q8_0")),
}


def written(folder: Path, kind: str) -> Path:
    name, target = FILES[kind]
    source = folder / "source.safetensors"
    save_model(network(), source, dtype=torch.bfloat16)
    convert(source, folder / name, target=target)
    return folder / name


def forward(net: Transformer) -> Tensor:
    with torch.inference_mode():
        return net(latents(), torch.tensor([0.3, 0.7]), conditions())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("kind", FILES)
def test_blocks_from_the_disk_give_the_bits_of_resident_ones(tmp_path, kind, dtype):
    path = written(tmp_path, kind)
    net, stream = transformer_from(path, dtype=dtype, device=CPU, run=RunSettings(weights="disk"))
    expected = forward(load_transformer(path, dtype=dtype))
    assert stream is not None and net.double_blocks[0].img_mlp.fc1.weight.is_meta
    assert torch.equal(forward(net), expected) and torch.equal(forward(net), expected)
    is_packed = isinstance(net.double_blocks[0].img_mlp.fc1, QuantisedLinear)
    assert is_packed == (kind in ("fp8", "GGUF"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("place", ["disk", "host"])
def test_blocks_come_to_an_accelerator(tmp_path, place):
    path, device = written(tmp_path, "diffusers, sharded"), torch.device("cuda")
    given = conditions()
    given = replace(given, **{f.name: v.cuda() for f in fields(given) if (v := getattr(given, f.name)) is not None})

    def on_device(net: Transformer) -> Tensor:
        with torch.inference_mode():
            return net(latents().cuda(), torch.tensor([0.3, 0.7], device=device), given)

    net, _ = transformer_from(path, dtype=torch.bfloat16, device=device, run=RunSettings(weights=place))
    expected = on_device(load_transformer(path, dtype=torch.bfloat16).to(device))
    for _ in range(5):
        assert torch.equal(on_device(net), expected)


def test_a_processor_has_what_waits_on_its_host(tmp_path):
    net, stream = transformer_from(
        written(tmp_path, "official"), dtype=None, device=CPU, run=RunSettings(weights="host")
    )
    assert stream is None and not any(p.is_meta for p in net.parameters())


def test_blocks_are_quantised_one_after_the_other(tmp_path):
    path = written(tmp_path, "official")
    net, _ = transformer_from(path, dtype=torch.float32, device=CPU, run=RunSettings(quantise="int8"))
    assert isinstance(net.single_blocks[1].linear2, QuantisedLinear)
    plain = forward(load_transformer(path, dtype=torch.float32))
    assert 0 < (forward(net) - plain).abs().max() < 0.2 * plain.std()


def test_quantising_on_the_way_from_the_disk_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="read as their file has them; write a quantised file with `muybridge conv"):
        transformer_from(tmp_path, dtype=None, device=CPU, run=RunSettings(weights="disk", quantise="int8"))


def test_a_pipeline_runs_from_the_disk_and_records_the_same_film(tmp_path):
    folder = model_folder(tmp_path)
    away = RunSettings(weights="disk", text_weights="disk")
    films = [muybridge.load(folder, device="cpu", run=run) for run in (None, away)]
    plain, streamed = (pipe("a red ball", seed=1, cfg=2.0, **SMALL) for pipe in films)
    assert torch.equal(plain.latents, streamed.latents) and plain.settings == streamed.settings
    assert films[1].components.transformer.single_blocks[1].linear2.weight.is_meta


def test_modulation_that_is_put_away_never_comes_to_the_device(tmp_path):
    path = written(tmp_path, "official")
    run = RunSettings(evicts_modulation=True)
    net, _ = transformer_from(path, dtype=torch.bfloat16, device=torch.device("meta"), run=run)
    away = {name.rsplit(".", 2)[0] for name, parameter in net.named_parameters() if not parameter.is_meta}
    assert net.device.type == "meta" and away == set(modulations(net))
