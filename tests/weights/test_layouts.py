"""Every layout of every network: there and back loses nothing, every key has one place, and errors use its names."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from muybridge.core.errors import WeightsError
from muybridge.text.config import LanguageConfig, PooledConfig
from muybridge.transformer import HUNYUANVIDEO_15, TransformerConfig
from muybridge.vae import ShuffleVAEConfig, VAEConfig
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.layouts import (
    INFIXES,
    PREFIXES,
    Entries,
    Table,
    from_official,
    name_in,
    part,
    stripped,
    to_official,
)
from muybridge.weights.layouts.transformer import DIFFUSERS
from muybridge.weights.recognise import recognise
from muybridge.weights.registry import NETWORKS, Network, detect
from muybridge.weights.stored import TensorMap, cast, from_tensor
from tests.weights.small import (
    BESIDE,
    CARRIED,
    FILE,
    LAYOUT_NAMES,
    LAYOUTS,
    SMALL,
    SYSTEM,
    entries_of,
    in_layout,
    small_state,
    small_transformer,
    system,
)

every_layout = pytest.mark.parametrize(("network", "table"), LAYOUTS, ids=LAYOUT_NAMES)
UNDISTILLED = TransformerConfig(has_guidance=False)  # HunyuanCustom for pictures too
RELEASED = {
    "hunyuanvideo": (TransformerConfig(), {"diffusers": 1264, "comfy": 856, "comfy-scale": 856, "fastvideo": 856}),
    "hunyuanvideo-vae": (VAEConfig(), {"diffusers": 248, "comfy": 248}),
    "hunyuanvideo-avatar": (replace(UNDISTILLED, sibling="avatar"), {"official": 946}),
    "hunyuancustom-audio": (replace(UNDISTILLED, sibling="custom-audio"), {"official": 902}),
    "hunyuancustom-editing": (replace(UNDISTILLED, sibling="custom-editing"), {"official": 856}),
    "hunyuan-gamecraft": (replace(UNDISTILLED, sibling="gamecraft", in_channels=33), {"official": 865}),
    "hunyuanvideo-1.5": (HUNYUANVIDEO_15, {"diffusers": 1801}),
    "hunyuanvideo-1.5-vae": (ShuffleVAEConfig(), {"diffusers": 218}),
    "language-model": (LanguageConfig(), {"causal-lm": 290, "llava": 290, "llava-2025": 290}),
    "clip-text": (PooledConfig(), {"clip": 196}),
}
NUM_PARAMETERS = {
    "hunyuanvideo": 12_821_012_544, "hunyuanvideo-vae": 246_478_803,
    "hunyuanvideo-1.5": 8_326_608_160, "hunyuanvideo-1.5-vae": 1_260_634_115,
    "hunyuanvideo-avatar": 12_991_493_184, "hunyuancustom-audio": 12_919_666_752,
    "hunyuancustom-editing": 12_820_619_328, "hunyuan-gamecraft": 12_811_285_937,
    "language-model": 7_505_186_816, "clip-text": 123_060_480,
}  # fmt: skip


def checkpoint_of(network: Network, entries: Entries, *, is_bare: bool = False) -> Checkpoint:
    config = None if is_bare else BESIDE.get(network.name)
    return Checkpoint(path=FILE, entries=entries, metadata={}, config=config, files=(FILE,))


def refusal(network: Network, entries: Entries) -> str:
    with pytest.raises(WeightsError) as caught:
        recognise(checkpoint_of(network, entries))
    message = str(caught.value)
    assert "\n" not in message and FILE.name in message
    return message


def shape_only(shapes: dict[str, tuple[int, ...]]) -> Entries:
    return {key: from_tensor(torch.empty(shape, device="meta"), FILE) for key, shape in shapes.items()}


@every_layout
def test_every_name_stands_once_in_its_table(network: Network, table: Table):
    official = [name for row in table.rows for name in row.officials()]
    theirs = [name for row in table.rows for name in row.theirs]
    assert len(set(official)) == len(official) and len(set(theirs)) == len(theirs)


@every_layout
def test_there_and_back_keeps_every_bit_and_every_key(network: Network, table: Table):
    state = small_state(network)
    there = in_layout(state, table)
    assert all(entry.shape == tuple(entry.read().shape) for entry in there.values())
    back = to_official(there, table)
    assert back.keys() == state.keys()
    for key, entry in back.items():
        assert entry.shape == tuple(state[key].shape)
        assert torch.equal(entry.read(), state[key])


@every_layout
def test_nothing_is_copied_but_what_must_be_joined(network: Network, table: Table):
    state = small_state(network)
    shared = {tensor.untyped_storage().data_ptr() for tensor in state.values()}
    must = {name for row in table.rows if row.parts == "swapped" or row.joins for name in row.theirs}
    copied = [
        key for key, entry in in_layout(state, table).items() if entry.read().untyped_storage().data_ptr() not in shared
    ]
    assert {re.sub(r"\.\d+\.", ".{i}.", key.rpartition(".")[0], count=1) for key in copied} == must


@every_layout
def test_a_file_is_recognised_by_its_keys_alone(network: Network, table: Table):
    found = recognise(checkpoint_of(network, in_layout(small_state(network), table)))
    is_named_alike = network.name == "hunyuanvideo-vae" and table.layout == "diffusers"
    assert (found.network, found.layout) == (network, "official" if is_named_alike else table.layout)
    assert found.entries.keys() == small_state(network).keys()
    assert found.in_layout(found.layout) is found.stored


@every_layout
def test_a_missing_key_is_named_as_the_file_has_it(network: Network, table: Table):
    there = dict(in_layout(small_state(network), table))
    lost = name_in(table, list(network.shapes(SMALL[network.name]))[-1])[0]
    del there[lost]
    assert lost in refusal(network, there)


@every_layout
def test_a_misspelt_key_is_named_with_the_nearest(network: Network, table: Table):
    there = dict(in_layout(small_state(network), table))
    right = next(key for key in there if key.endswith(".weight"))
    wrong = right.removesuffix("weight") + "wieght"
    message = refusal(network, {wrong if key == right else key: entry for key, entry in there.items()})
    assert wrong in message and right in message and "nearest" in message


@every_layout
def test_an_unexpected_key_is_named(network: Network, table: Table):
    there = dict(in_layout(small_state(network), table))
    assert "'stranger.bias'" in refusal(network, there | entries_of({"stranger.bias": torch.ones(1)}))


@every_layout
def test_a_wrong_shape_is_named(network: Network, table: Table):
    there = dict(in_layout(small_state(network), table))
    official = next(key for key in network.shapes(SMALL[network.name]) if "norm" in key)
    key = name_in(table, official)[0]
    there[key] = from_tensor(torch.ones(3), FILE)
    assert f"'{key}' has shape (3,)" in refusal(network, there)


@pytest.mark.parametrize("name", RELEASED)
def test_the_released_models_have_their_released_keys(name: str):
    network = next(network for network in NETWORKS if network.name == name)
    config, counts = RELEASED[name]
    shapes = network.shapes(config)
    entries = shape_only(shapes)
    assert sum(entry.num_elements for entry in entries.values()) == NUM_PARAMETERS[name]
    for layout, count in counts.items():
        table = network.table(layout)
        assert table is not None
        there = from_official(entries, table, hidden_size=3072)
        assert len(there) == count
        assert sum(entry.num_elements for entry in there.values()) == NUM_PARAMETERS[name]
        assert {key: entry.shape for key, entry in to_official(there, table).items()} == shapes


@pytest.mark.parametrize("name", [name for name in RELEASED if name not in ("language-model", "clip-text")])
def test_a_released_model_is_recognised_by_its_shapes(name: str):
    network = next(network for network in NETWORKS if network.name == name)
    config, _ = RELEASED[name]
    found = recognise(checkpoint_of(network, shape_only(network.shapes(config)), is_bare=True))
    assert (found.network, found.config) == (network, config)


def test_every_network_has_a_small_one_to_test():
    assert {network.name for network in NETWORKS} >= SMALL.keys() >= BESIDE.keys() >= CARRIED.keys()


def test_splitting_a_projection_copies_nothing():
    weight = torch.randn(9, 3)
    there = in_layout({"double_blocks.7.img_attn_qkv.weight": weight}, DIFFUSERS)
    assert there["transformer_blocks.7.attn.to_k.weight"].read().data_ptr() == weight[3].data_ptr()


@pytest.mark.parametrize(("layout", "key"), [
    ("diffusers", "norm_out.linear.bias"), ("fastvideo", "final_layer.adaLN_modulation.linear.bias"),
])  # fmt: skip
def test_the_halves_of_the_last_modulation_change_places(layout: str, key: str):
    table = NETWORKS[0].table(layout)
    assert table is not None
    there = in_layout({"final_layer.adaLN_modulation.1.bias": torch.arange(4.0)}, table)
    assert there[key].read().tolist() == [2, 3, 0, 1]


def test_a_fused_parameter_has_a_name_for_each_part():
    assert name_in(DIFFUSERS, "single_blocks.3.linear1.bias") == (
        "single_transformer_blocks.3.attn.to_q.bias",
        "single_transformer_blocks.3.attn.to_k.bias",
        "single_transformer_blocks.3.attn.to_v.bias",
        "single_transformer_blocks.3.proj_mlp.bias",
    )
    assert name_in(DIFFUSERS, "single_blocks.3.linear9.bias") == ()


def test_parts_of_different_dtypes_are_not_joined():
    there = dict(in_layout(small_transformer().state_dict(), DIFFUSERS))
    key = "transformer_blocks.0.attn.to_q.weight"
    with pytest.raises(WeightsError, match="img_attn_qkv.weight"):
        to_official({**there, key: cast(there[key], torch.bfloat16)}, DIFFUSERS)


def test_parts_that_do_not_stand_together_are_refused():
    there = dict(in_layout(small_transformer().state_dict(), DIFFUSERS))
    for wrong in (torch.ones(()), torch.ones(32, 3)):
        key = "transformer_blocks.0.attn.to_k.weight"
        with pytest.raises(WeightsError, match=f"'{key}' has shape"):
            to_official({**there, key: from_tensor(wrong, FILE)}, DIFFUSERS)


def test_a_fused_projection_of_no_shape_is_refused():
    network, table = next((n, t) for n, t in LAYOUTS if (n.name, t.layout) == ("hunyuanvideo-1.5", "comfy"))
    there = dict(in_layout(small_state(network), table))
    there["double_blocks.1.img_attn.qkv.bias"] = from_tensor(torch.ones(()), FILE)
    assert "'double_blocks.1.img_attn.qkv.bias' has shape ()" in refusal(network, there)


def test_a_key_without_a_place_in_a_layout_is_refused():
    with pytest.raises(WeightsError, match="'linear_in.bias' has no place in the layout comfy"):
        in_layout(
            {"linear_in.bias": torch.ones(1)}, next(t for n, t in LAYOUTS if (n.kind, t.layout) == ("vae", "comfy"))
        )


def chains() -> Iterator[str]:
    yield from (prefix for prefix in (*PREFIXES, *INFIXES))
    yield from (first + second for first in ("module.", *INFIXES) for second in (*PREFIXES, *INFIXES))
    yield "module._orig_mod._forward_module.model.diffusion_model._fsdp_wrapped_module."


@pytest.mark.parametrize("prefix", list(chains()))
def test_prefixes_are_stripped_however_many(prefix: str):
    state = {f"{prefix}double_blocks.0._orig_mod.img_mod.linear.bias": torch.ones(1)}
    assert list(stripped(entries_of(state))) == ["double_blocks.0.img_mod.linear.bias"]


def test_two_models_in_one_file_are_not_merged():
    with pytest.raises(WeightsError, match="'module.a' and 'a' both mean 'a'"):
        stripped(entries_of({"a": torch.ones(1), "module.a": torch.ones(1)}))


@pytest.mark.parametrize("name", [name for name, _ in SYSTEM.values()])
def test_a_file_with_a_whole_system_gives_each_of_its_models(name: str):
    network = next(network for network in NETWORKS if network.name == name)
    found = recognise(checkpoint_of(network, system()), kind=network.kind)
    state = TensorMap(found.entries)
    assert found.network is network and all(
        torch.equal(state[key], value) for key, value in small_state(network).items()
    )


def test_a_file_with_a_whole_system_is_not_guessed_at():
    with pytest.raises(WeightsError, match="holds several models; say which of transformer, vae"):
        part(system(), None, file=FILE)
    with pytest.raises(WeightsError, match="'stranger' is of none of its models"):
        part({**system(), "stranger": from_tensor(torch.ones(1), FILE)}, "vae", file=FILE)
    without = {key: entry for key, entry in system().items() if not key.startswith("vae.")}
    with pytest.raises(WeightsError, match="holds no vae; say which of transformer, text-encoder"):
        part(without, "vae", file=FILE)


def test_strangers_are_of_no_network():
    assert detect(entries_of({"blocks.0.attn.weight": torch.ones(1), "img_in.proj.weight": torch.ones(1)})) is None
