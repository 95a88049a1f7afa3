"""Quantised layers are called as the plain ones, err by what their scheme says, and never by more than once."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from muybridge.acceleration.quantise import SCHEMES, keep_packed, quantise, settle
from muybridge.acceleration.quantise import int8 as whole_numbers
from muybridge.acceleration.quantise.layers import QuantisedLinear
from muybridge.acceleration.stream import host_sources, stream_blocks
from muybridge.core.errors import InvalidInput
from muybridge.ops.adapted import Adapted, Dial, dense_weight
from muybridge.ops.lora import Delta, LowRank
from muybridge.ops.outputs import outputs
from muybridge.transformer import Transformer
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage.schemes import plain
from muybridge.weights.storage.write import fp8_scaled
from muybridge.weights.stored import cast, from_tensor
from tests.transformer.networks import TINY, conditions, latents, network

WIDE = replace(TINY, hidden_size=64, rope_axes_dim=(8, 12, 12))
SIGMA = torch.tensor([0.7, 0.4])
ERRORS = {  # RMS over the layer's own, of normal weights and tokens (measured, with a tenth to spare)
    "int8": 0.0135, "int8-weights": 0.0075, "fp8": 0.042, "fp8-weights": 0.03, "int4": 0.1, "nf4": 0.102,
}  # fmt: skip


def layer(columns: int = 256, rows: int = 48, *, dtype: torch.dtype = torch.float32) -> nn.Linear:
    made = nn.Linear(columns, rows).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    made.weight.normal_(0, columns**-0.5, generator=generator)
    made.bias.normal_(0, 0.1, generator=generator)
    return made.to(dtype)


def tokens(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def small(plain_layer: nn.Linear, scheme: str) -> QuantisedLinear:
    return SCHEMES[scheme].swap(plain_layer.weight, plain_layer.bias, scheme)


def error(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.double() - wanted.double()).norm() / wanted.double().norm())


@torch.no_grad()
def velocity(model: Transformer) -> torch.Tensor:
    return model(latents(), SIGMA, conditions(config=model.config))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_scheme_errs_by_what_it_says_in_every_dtype(scheme, dtype):
    wanted, x = layer(dtype=dtype), tokens(2, 5, 256, dtype=dtype)
    found = small(wanted, scheme)(x)
    assert found.dtype == dtype and found.shape == (2, 5, 48)
    assert 1e-3 < error(found, wanted(x)) < ERRORS[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bits_are_those_of_a_layer_of_3072_columns(scheme):
    made = small(layer(3072, 8, dtype=torch.bfloat16), scheme)
    assert made.num_bytes * 8 / (3072 * 8) == pytest.approx(SCHEMES[scheme].bits_per_value, abs=0.005)


@pytest.mark.parametrize("columns", [64, 96, 40])
def test_rotation_on_both_sides_changes_no_product(columns):
    x, w = tokens(3, columns).double(), tokens(5, columns).double()
    rotated = whole_numbers.rotated(x, 1 / 8) @ whole_numbers.rotated(w, 1 / 16).T
    torch.testing.assert_close(rotated, x @ w.T, rtol=1e-12, atol=1e-12)


def test_strong_columns_and_heavy_tails_cost_int8_little():
    wanted, x = layer(512), tokens(64, 512)
    wanted.weight.copy_(wanted.weight.sign() * wanted.weight**2 * 30)
    x[:, ::100] *= 15
    wanted.weight[:, ::100] /= 15
    largest = x.abs().amax(1, keepdim=True)
    rounded = (x * 127 / largest).round() * largest / 127
    assert error(small(wanted, "int8")(x), wanted(x)) < 0.03 < 0.05 < error(wanted(rounded), wanted(x))


def test_the_two_products_of_bytes_agree():
    x, made = tokens(40, 256), small(layer(), "int8")
    x[3] = 0
    codes, scale = whole_numbers.rounded(x)
    signed = (codes.int() - whole_numbers.ZERO).to(torch.int8)
    assert signed.abs().amax() <= 127 and torch.equal(signed[3], torch.zeros(256, dtype=torch.int8))
    sums = signed.double() @ made.parts["weight"].double()
    assert torch.equal(whole_numbers._plain(signed, made.parts["weight"]).double(), sums)
    wanted = (sums * scale * made.parts["scale"]).float()
    torch.testing.assert_close(whole_numbers.product(x, *made.parts.values()), wanted, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("scheme", ["int8", "fp8"])
def test_tokens_do_not_see_each_other(scheme, monkeypatch):
    made, x = small(layer(), scheme), tokens(1, 70, 256)
    whole = made(x)
    monkeypatch.setattr("muybridge.acceleration.quantise.int8.VALUES_AT_A_TIME", 32 * 256)
    torch.testing.assert_close(made(x), whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(made(x[:, 5:6]), whole[:, 5:6], rtol=0, atol=1e-6)


def test_a_product_of_rounded_tokens_refuses_to_train_and_decoded_weights_pass_gradients_on():
    x = tokens(3, 256).requires_grad_()
    with pytest.raises(InvalidInput, match="int8-weights"):
        small(layer(), "int8")(x)
    small(layer(), "int8-weights")(x).sum().backward()
    assert x.grad is not None and x.grad.abs().sum() > 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_linear_layers_of_the_blocks_are_swapped_and_nothing_else(scheme):
    model = network(WIDE)
    before, kept = velocity(model), {key: value.clone() for key, value in model.state_dict().items()}
    made = quantise(model, scheme)
    state = model.state_dict()
    is_kept = {key: state[key].dtype == value.dtype and torch.equal(state[key], value) for key, value in kept.items()}
    touched = {key.rpartition(".")[0] for key, same in is_kept.items() if not same}
    assert made.num_layers == len(touched) == 2 * 8 + 2 * 2
    assert not any("mod" in name or not name.startswith(("double_blocks", "single_blocks")) for name in touched)
    assert made.bytes_before == sum(kept[f"{name}.weight"].nbytes for name in touched)
    assert made.bytes_after == sum(m.num_bytes for m in model.modules() if isinstance(m, QuantisedLinear))
    assert 0 < error(velocity(model), before) < 4 * ERRORS[scheme]


def test_again_changes_nothing_and_another_scheme_is_refused():
    model = network(WIDE)
    with pytest.raises(InvalidInput, match="known are int8"):
        quantise(model, "int9")
    quantise(model, "int8")
    after = velocity(model)
    assert quantise(model, "int8").num_layers == 0 and torch.equal(velocity(model), after)
    with pytest.raises(InvalidInput, match="are int8 already"):
        quantise(model, "nf4")
    assert torch.equal(velocity(model), after)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_lora_acts_beside_a_quantised_layer_whichever_came_first(scheme):
    x, first, later = tokens(9, 256), nn.Module(), nn.Module()
    first.linear, later.linear = Adapted(layer()), layer()
    for holder in (first, later):
        holder.blocks = lambda holder=holder: iter([holder])
    delta, dial = Delta(LowRank(tokens(4, 256), tokens(48, 4) / 16)), Dial(0.0)
    first.linear.add(delta, dial)
    quantise(first, scheme), quantise(later, scheme)
    later.linear = Adapted(later.linear)
    later.linear.add(delta, dial)
    without = first.linear(x)
    dial.strength = 0.5
    torch.testing.assert_close(first.linear(x) - without, 0.5 * delta.factors(x), rtol=0, atol=1e-4)
    assert torch.equal(first.linear(x), later.linear(x))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_weight_can_be_read_back_through_the_layer(scheme):
    wanted = layer()
    assert error(dense_weight(small(wanted, scheme), 256), wanted.weight) < ERRORS[scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_change_of_dtype_leaves_the_parts_alone(scheme):
    made, x = small(layer(), scheme), tokens(3, 256)
    before = made(x)
    dtypes = {name: part.dtype for name, part in made.parts.items()}
    made.to(torch.bfloat16)
    assert {name: part.dtype for name, part in made.parts.items()} == dtypes and torch.equal(made(x), before)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantised_blocks_can_be_streamed(scheme):
    model = network(WIDE)
    quantise(model, scheme)
    before = velocity(model)
    cpu = torch.device("cpu")
    stream_blocks(model, host_sources(model, device=cpu), device=cpu)
    assert torch.equal(velocity(model), before)


@torch.no_grad()
def test_settled_weights_give_the_same_and_some_outputs_too():
    model = network(WIDE)
    quantise(model, "int8")
    before = velocity(model)
    settle(model)
    settle(model)
    assert torch.equal(velocity(model), before)
    swapped, x = small(layer(64, 48), "int8"), tokens(2, 5, 64)
    whole = swapped(x)
    swapped.settle(24)
    assert torch.equal(swapped(x), whole)
    assert torch.equal(outputs(swapped, x, first=8, num=32), whole[..., 8:40])


def test_what_a_file_holds_quantised_stays_so(tmp_path):
    model = network(WIDE)
    entries = {key: from_tensor(value, tmp_path) for key, value in model.state_dict().items()}
    checkpoint, _ = plain(Checkpoint(path=tmp_path, entries=fp8_scaled(entries), metadata={}, config=None, files=()))
    state = {key: cast(entry, torch.float32).read() for key, entry in checkpoint.entries.items()}
    decoded = network(WIDE)
    decoded.load_state_dict(state)
    packed = {key: entry.packed for key, entry in checkpoint.entries.items() if entry.packed is not None}
    with torch.device("meta"):
        kept = Transformer(WIDE)
    parts = keep_packed(kept, packed)
    read = {name: part.read() for name, part in parts.items()}
    kept.load_state_dict({key: value for key, value in state.items() if key not in packed} | read, assign=True)
    assert torch.equal(velocity(kept.eval()), velocity(decoded))
    assert sum(isinstance(module, QuantisedLinear) for module in kept.modules()) == len(packed) > 0
    with pytest.raises(InvalidInput, match="plain linear"):
        keep_packed(kept, packed)
    with pytest.raises(InvalidInput, match="fp8 scaled already"):
        quantise(kept, "int8")


@pytest.mark.parametrize("shape", [(256, 48), (64, 64)], ids=["oblong", "square"])
@pytest.mark.parametrize("scheme", SCHEMES)
@torch.no_grad()
def test_some_outputs_are_those_of_the_whole_layer(scheme, shape):
    swapped, x = small(layer(*shape), scheme), tokens(3, 5, shape[0])
    found = outputs(swapped, x, first=16, num=32)
    torch.testing.assert_close(found, swapped(x)[..., 16:48])
