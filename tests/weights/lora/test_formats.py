"""Every format of LoRA file means what its writer means, whatever is done with it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import InvalidInput, WeightsError
from muybridge.ops.adapted import Adapted
from muybridge.transformer import Conditions, Transformer
from muybridge.weights.lora import LORA_LAYOUTS, ActiveLora, LoraStack, convert_lora, describe, read_lora
from tests.weights.lora.formats import FORMATS, Case
from tests.weights.small import same

TOLERANCE = 1e-6  # of float64 networks whose factors were float32 in the file
each_format = pytest.mark.parametrize("name", FORMATS)


@torch.no_grad()
def velocity(network: Transformer) -> Tensor:
    generator = torch.Generator().manual_seed(5)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    latents = draw(1, network.config.in_channels, 2, 4, 4)
    conditions = Conditions(text=draw(1, 5, 12), pooled=draw(1, 10), guidance=torch.tensor([6.0]))
    dtype = network.dtype
    return network(latents.to(dtype), torch.tensor([0.6], dtype=dtype), conditions).double()


def loaded(case: Case, folder: Path) -> tuple[Transformer, LoraStack, ActiveLora]:
    network = case.network()
    return network, LoraStack(network), ActiveLora(lora=read_lora(case.save(folder)))


def distance(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.std())


@each_format
def test_beside_the_weights_or_in_them_it_is_the_merged_network(name: str, tmp_path: Path):
    case = FORMATS[name]()
    network, stack, use = loaded(case, tmp_path)
    plain, expected = velocity(network), velocity(case.merged())
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    stack.set([use])
    assert distance(velocity(network), expected) <= TOLERANCE < distance(plain, expected)
    assert list(network.state_dict()) == list(before)
    stack.fuse()
    assert distance(velocity(network), expected) <= TOLERANCE
    assert stack.kept_bytes == sum(before[key].numel() * 8 for key in case.changes)
    stack.unfuse()
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert distance(velocity(network), expected) <= TOLERANCE
    stack.clear()
    assert torch.equal(velocity(network), plain)
    assert not any(isinstance(module, Adapted) for module in network.modules())


@each_format
def test_the_report_names_every_changed_module(name: str, tmp_path: Path):
    case = FORMATS[name]()
    report = describe(case.save(tmp_path))
    assert report.num_modules == len({key.rpartition(".")[0] for key in case.changes})
    assert "double_blocks" in report.targets and report.num_text_keys == 0


@each_format
@pytest.mark.parametrize("layout", LORA_LAYOUTS)
def test_what_is_written_means_the_same_or_is_refused_by_name(name: str, layout: str, tmp_path: Path):
    case = FORMATS[name]()
    network, stack, _ = loaded(case, tmp_path)
    try:
        written = convert_lora(tmp_path / "lora.safetensors", tmp_path / "out.safetensors", layout=layout)  # type: ignore[arg-type]
    except WeightsError as error:
        assert "layout" in str(error) and layout in ("diffusers", "i2v")
        assert any(word in name for word in ("LoHa", "LoKr", "DoRA", "diff", "replaced", "norms"))
        return
    stack.set([ActiveLora(lora=written)])
    assert distance(velocity(network), velocity(case.merged())) <= TOLERANCE


@pytest.mark.parametrize("layout", LORA_LAYOUTS)
def test_a_fused_lora_comes_back_bit_for_bit(layout: str, tmp_path: Path):
    case = FORMATS["kohya, musubi-tuner"]()
    first = read_lora(case.save(tmp_path))
    convert_lora(first.path, tmp_path / "a.safetensors", layout=layout)  # type: ignore[arg-type]
    convert_lora(tmp_path / "a.safetensors", tmp_path / "b.safetensors", layout="kohya")
    back = read_lora(tmp_path / "b.safetensors")
    assert back.deltas.keys() == first.deltas.keys() and back.kernels == first.kernels
    for name, (delta,) in first.deltas.items():
        (other,) = back.deltas[name]
        assert all(torch.equal(a, b) for a, b in zip(delta.parameters(), other.parameters(), strict=True))
        assert delta.scale == pytest.approx(other.scale, abs=1e-7)


def test_a_split_lora_comes_back_bit_for_bit_through_a_fused_layout(tmp_path: Path):
    case = FORMATS["OneTrainer"]()
    first = read_lora(case.save(tmp_path))
    convert_lora(first.path, tmp_path / "fused.safetensors", layout="comfy")
    convert_lora(tmp_path / "fused.safetensors", tmp_path / "split.safetensors", layout="diffusers")
    back = read_lora(tmp_path / "split.safetensors")
    for name, deltas in first.deltas.items():
        for delta, other in zip(deltas, back.deltas[name], strict=True):
            assert all(torch.equal(a, b) for a, b in zip(delta.parameters(), other.parameters(), strict=True))


def test_a_lora_is_written_only_under_a_known_layout_and_a_free_name(tmp_path: Path):
    source = FORMATS["kohya, musubi-tuner"]().save(tmp_path)
    for name, layout, message in (
        ("new.safetensors", "official", "a LoRA is written as"),
        ("lora.safetensors", "comfy", "there already"),
        ("new.pt", "comfy", "one safetensors file"),
    ):
        with pytest.raises(InvalidInput, match=message):
            convert_lora(source, tmp_path / name, layout=layout)  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["lora.safetensors"]


def test_several_act_with_their_weights_in_their_blocks_and_steps(tmp_path: Path):
    case = FORMATS["kohya, musubi-tuner"]()
    network, stack, use = loaded(case, tmp_path)
    other = ActiveLora(lora=read_lora(use.lora.path), weight=-0.5, blocks="double_blocks.0,single")
    stack.set([use, other])
    expected = case.network()
    for key, parameter in expected.named_parameters():
        share = 1 - 0.5 * key.startswith(("double_blocks.0.", "single_blocks."))
        if key in case.changes:
            parameter.add_(share * case.changes[key].reshape(parameter.shape))
    assert distance(velocity(network), velocity(expected)) <= TOLERANCE
    stack.set([ActiveLora(lora=use.lora, steps=(2, 3))])
    plain, merged = velocity(case.network()), velocity(case.merged())
    for step, expected_velocity in ((1, plain), (2, merged), (3, merged), (4, plain)):
        stack.at_step(step)
        assert distance(velocity(network), expected_velocity) <= TOLERANCE
    with pytest.raises(InvalidInput, match="every step"):
        stack.fuse()


def test_swapping_builds_no_layer_anew_and_leaves_no_trace(tmp_path: Path):
    case = FORMATS["kohya, musubi-tuner"]()
    network, stack, use = loaded(case, tmp_path)
    plain = case.network()
    stack.set([use])
    wrapped = {name: module for name, module in network.named_modules() if isinstance(module, Adapted)}
    second = ActiveLora(lora=read_lora(use.lora.path), weight=0.5)
    stack.set([second, use])
    stack.set([second])
    assert all(network.get_submodule(name) is module for name, module in wrapped.items())
    stack.clear()
    assert same(network, plain)


def test_a_lora_that_does_not_fit_leaves_the_model_as_it_was(tmp_path: Path):
    case = FORMATS["dashtoon keyframes (32 channels)"]()
    network = FORMATS["kohya, musubi-tuner"]().network()
    stack = LoraStack(network)
    with pytest.raises(WeightsError, match="img_in.proj"):
        stack.set([ActiveLora(lora=read_lora(case.save(tmp_path)))])
    assert stack.uses == () and not any(isinstance(module, Adapted) for module in network.modules())


def test_a_half_precision_network_takes_any_lora_and_stays_in_its_dtype(tmp_path: Path):
    case = FORMATS["kohya, musubi-tuner"]()
    _, _, use = loaded(case, tmp_path)
    network = case.network().bfloat16()
    LoraStack(network).set([use])
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    x = torch.randn(40, 32).bfloat16()
    layer, merged = (n.get_submodule("double_blocks.0.img_attn_qkv") for n in (network, case.merged()))
    assert layer(x).dtype == torch.bfloat16
    assert distance(layer(x).double(), merged(x.double())) <= 0.05  # bfloat16 has 8 bits


def test_a_state_dict_loads_into_a_network_with_loras(tmp_path: Path):
    case = FORMATS["kohya, musubi-tuner"]()
    network, stack, use = loaded(case, tmp_path)
    stack.set([use])
    network.load_state_dict(case.network().state_dict(), strict=True)
    assert distance(velocity(network), velocity(case.merged())) <= TOLERANCE
