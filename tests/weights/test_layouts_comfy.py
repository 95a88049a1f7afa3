"""ComfyUI renames keys by replacing substrings in a fixed order; our tables must give the same names, key by key."""

from collections.abc import Iterable

import pytest
import torch

from muybridge.weights.layouts import name_in
from muybridge.weights.registry import NETWORKS
from tests.weights.small import SMALL, in_layout, small_state

IN_ORDER = (  # released names to ComfyUI's
    ("txt_in.t_embedder.mlp.0.", "txt_in.t_embedder.in_layer."),
    ("txt_in.t_embedder.mlp.2.", "txt_in.t_embedder.out_layer."),
    ("txt_in.c_embedder.linear_1.", "txt_in.c_embedder.in_layer."),
    ("txt_in.c_embedder.linear_2.", "txt_in.c_embedder.out_layer."),
    ("_mod.linear.", "_mod.lin."),
    ("_attn_qkv.", "_attn.qkv."),
    ("mlp.fc1.", "mlp.0."),
    ("mlp.fc2.", "mlp.2."),
    ("_attn_q_norm.weight", "_attn.norm.query_norm.weight"),
    ("_attn_k_norm.weight", "_attn.norm.key_norm.weight"),
    (".q_norm.weight", ".norm.query_norm.weight"),
    (".k_norm.weight", ".norm.key_norm.weight"),
    ("_attn_proj.", "_attn.proj."),
    (".modulation.linear.", ".modulation.lin."),
    ("_in.mlp.2.", "_in.out_layer."),
    ("_in.mlp.0.", "_in.in_layer."),
)
OLDER = tuple((old, new.replace("_norm.weight", "_norm.scale")) for old, new in IN_ORDER)
VAE_IN_ORDER = (
    ("conv_shortcut", "nin_shortcut"),
    ("conv_norm_out", "norm_out"),
    ("mid_block.attentions.0.", "mid.attn_1."),
    *((f"encoder.down_blocks.{i}.resnets.{j}.", f"encoder.down.{i}.block.{j}.") for i in range(4) for j in range(2)),
    *((f"down_blocks.{i}.downsamplers.0.", f"down.{i}.downsample.") for i in range(3)),
    *((f"up_blocks.{i}.upsamplers.0.", f"up.{3 - i}.upsample.") for i in range(3)),
    *((f"decoder.up_blocks.{i}.resnets.{j}.", f"decoder.up.{3 - i}.block.{j}.") for i in range(4) for j in range(3)),
    *((f"mid_block.resnets.{i}.", f"mid.block_{i + 1}.") for i in range(2)),
)
IN_ATTENTION = (("group_norm.", "norm."), ("to_q.", "q."), ("to_k.", "k."), ("to_v.", "v."), ("to_out.0.", "proj_out."))


def replaced(key: str, pairs: Iterable[tuple[str, str]]) -> str:
    for old, new in pairs:
        key = key.replace(old, new)
    return key


@pytest.mark.parametrize(("layout", "pairs"), [("comfy", IN_ORDER), ("comfy-scale", OLDER)])
def test_the_transformer_has_comfy_s_names(layout: str, pairs: tuple[tuple[str, str], ...]):
    network = NETWORKS[0]
    table = network.table(layout)
    assert table is not None
    for key in network.shapes(SMALL[network.name]):
        assert name_in(table, key) == (replaced(key, pairs),)


def test_the_vae_has_comfy_s_names_and_its_attention_is_a_convolution():
    network = next(network for network in NETWORKS if network.name == "hunyuanvideo-vae")
    table = network.table("comfy")
    assert table is not None
    state = small_state(network)
    there = in_layout(state, table)
    for key, tensor in state.items():
        is_attention = "attentions" in key
        name = replaced(replaced(key, VAE_IN_ORDER), IN_ATTENTION if is_attention else ())
        wanted = tensor[..., None, None, None] if is_attention and tensor.ndim == 2 else tensor
        assert torch.equal(there[name].read(), wanted)
