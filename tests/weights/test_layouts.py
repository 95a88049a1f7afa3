"""The tables lose nothing: official to diffusers and back is the identity, and every key has one place."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.transformer import TransformerConfig
from muybridge.weights.accounting import expected_entries
from muybridge.weights.layouts import PREFIXES, TRANSFORMER, from_official, name_in, stripped, to_official
from muybridge.weights.layouts.transformer import DIFFUSERS
from muybridge.weights.recognise import build
from muybridge.weights.registry import detect
from muybridge.weights.stored import StoredTensor, TensorMap, cast, from_tensor
from tests.weights.small import TRANSFORMER as SMALL
from tests.weights.small import small_transformer, small_vae

FILE = Path("model.safetensors")


def entries_of(state: dict[str, Tensor]) -> dict[str, StoredTensor]:
    return {key: from_tensor(tensor, FILE) for key, tensor in state.items()}


def found(entries: dict[str, StoredTensor]) -> tuple[str, str] | None:
    result = detect(entries)
    return result and (result[0].kind, result[1].layout)


def test_every_name_stands_once_in_the_table():
    official = [row.official for row in TRANSFORMER]
    diffusers = [name for row in TRANSFORMER for name in row.theirs]
    assert len(set(official)) == len(official) and len(set(diffusers)) == len(diffusers)


def test_there_and_back_is_the_identity():
    state = small_transformer().state_dict()
    there = from_official(entries_of(state), DIFFUSERS, hidden_size=SMALL.hidden_size)
    back = TensorMap(to_official(there, DIFFUSERS))
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_shapes_are_known_without_reading():
    state = small_transformer().state_dict()
    there = from_official(entries_of(state), DIFFUSERS, hidden_size=SMALL.hidden_size)
    for entries in (there, to_official(there, DIFFUSERS)):
        assert all(entry.shape == tuple(entry.read().shape) for entry in entries.values())


def test_the_released_model_has_856_tensors_and_1264_in_diffusers():
    entries = expected_entries(build(TransformerConfig()), FILE)
    there = from_official(entries, DIFFUSERS, hidden_size=3072)
    assert (len(entries), len(there)) == (856, 1264)
    assert sum(entry.num_elements for entry in there.values()) == 12_821_012_544
    assert to_official(there, DIFFUSERS).keys() == entries.keys()


def test_splitting_a_projection_copies_nothing():
    weight = torch.randn(9, 3)
    there = from_official(entries_of({"double_blocks.7.img_attn_qkv.weight": weight}), DIFFUSERS, hidden_size=3)
    assert there["transformer_blocks.7.attn.to_k.weight"].read().data_ptr() == weight[3].data_ptr()


def test_the_halves_of_the_last_modulation_change_places():
    there = from_official(
        entries_of({"final_layer.adaLN_modulation.1.bias": torch.arange(4.0)}), DIFFUSERS, hidden_size=2
    )
    assert there["norm_out.linear.bias"].read().tolist() == [2, 3, 0, 1]


def test_a_fused_parameter_has_a_name_for_each_part():
    assert name_in(DIFFUSERS, "single_blocks.3.linear1.bias") == (
        "single_transformer_blocks.3.attn.to_q.bias",
        "single_transformer_blocks.3.attn.to_k.bias",
        "single_transformer_blocks.3.attn.to_v.bias",
        "single_transformer_blocks.3.proj_mlp.bias",
    )


def test_parts_of_different_dtypes_are_not_joined():
    state = small_transformer().state_dict()
    there = from_official(entries_of(state), DIFFUSERS, hidden_size=SMALL.hidden_size)
    key = "transformer_blocks.0.attn.to_q.weight"
    with pytest.raises(WeightsError, match="img_attn_qkv.weight"):
        to_official({**there, key: cast(there[key], torch.bfloat16)}, DIFFUSERS)


def test_a_missing_part_is_named():
    there = from_official(entries_of(small_transformer().state_dict()), DIFFUSERS, hidden_size=SMALL.hidden_size)
    del there["transformer_blocks.1.attn.to_v.bias"]
    with pytest.raises(WeightsError, match="'transformer_blocks.1.attn.to_v.bias'"):
        to_official(there, DIFFUSERS)


@pytest.mark.parametrize(
    "prefix", [*PREFIXES, "module._orig_mod.", "model.diffusion_model.module.", "_fsdp_wrapped_module."]
)
def test_prefixes_are_stripped_however_many(prefix: str):
    state = {f"{prefix}double_blocks.0._orig_mod.img_mod.linear.bias": torch.ones(1)}
    assert list(stripped(entries_of(state))) == ["double_blocks.0.img_mod.linear.bias"]


def test_two_models_in_one_file_are_not_merged():
    with pytest.raises(WeightsError, match="'module.a' and 'a' both mean 'a'"):
        stripped(entries_of({"a": torch.ones(1), "module.a": torch.ones(1)}))


def test_kind_and_layout_are_told_from_the_keys():
    state = entries_of(small_transformer().state_dict())
    assert found(state) == ("transformer", "official")
    assert found(from_official(state, DIFFUSERS, hidden_size=SMALL.hidden_size)) == ("transformer", "diffusers")
    assert found(entries_of(small_vae().state_dict())) == ("vae", "official")
    assert found(entries_of({"model.embed_tokens.weight": torch.ones(1)})) is None
