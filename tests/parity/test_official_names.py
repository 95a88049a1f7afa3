"""The state dict has exactly the released keys and shapes, written out here from the released classes."""

import torch

from muybridge.transformer import Transformer, TransformerConfig

D, TEXT, POOLED, MLP, HEAD = 3072, 4096, 768, 12288, 128


def linear(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def refiner_block(name: str) -> dict[str, tuple[int, ...]]:
    norms = {f"{name}.norm{n}.{field}": (D,) for n in (1, 2) for field in ("weight", "bias")}
    return {
        **norms,
        **linear(f"{name}.self_attn_qkv", 9216, D),
        **linear(f"{name}.self_attn_proj", D, D),
        **linear(f"{name}.mlp.fc1", MLP, D),
        **linear(f"{name}.mlp.fc2", D, MLP),
        **linear(f"{name}.adaLN_modulation.1", 6144, D),
    }


def double_block(name: str) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for stream in ("img", "txt"):
        shapes |= linear(f"{name}.{stream}_mod.linear", 18432, D)
        shapes |= linear(f"{name}.{stream}_attn_qkv", 9216, D)
        shapes |= linear(f"{name}.{stream}_attn_proj", D, D)
        shapes |= {f"{name}.{stream}_attn_{part}_norm.weight": (HEAD,) for part in "qk"}
        shapes |= linear(f"{name}.{stream}_mlp.fc1", MLP, D)
        shapes |= linear(f"{name}.{stream}_mlp.fc2", D, MLP)
    return shapes


def single_block(name: str) -> dict[str, tuple[int, ...]]:
    return {
        **linear(f"{name}.linear1", 21504, D),
        **linear(f"{name}.linear2", D, 15360),
        **{f"{name}.{part}_norm.weight": (HEAD,) for part in "qk"},
        **linear(f"{name}.modulation.linear", 9216, D),
    }


def released() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"img_in.proj.weight": (D, 16, 1, 2, 2), "img_in.proj.bias": (D,)}
    shapes |= linear("txt_in.input_embedder", D, TEXT)
    shapes |= linear("txt_in.c_embedder.linear_1", D, TEXT) | linear("txt_in.c_embedder.linear_2", D, D)
    for name in ("txt_in.t_embedder", "time_in", "guidance_in"):
        shapes |= linear(f"{name}.mlp.0", D, 256) | linear(f"{name}.mlp.2", D, D)
    shapes |= linear("vector_in.in_layer", D, POOLED) | linear("vector_in.out_layer", D, D)
    shapes |= linear("final_layer.linear", 64, D) | linear("final_layer.adaLN_modulation.1", 6144, D)
    for i in range(2):
        shapes |= refiner_block(f"txt_in.individual_token_refiner.blocks.{i}")
    for i in range(20):
        shapes |= double_block(f"double_blocks.{i}")
    for i in range(40):
        shapes |= single_block(f"single_blocks.{i}")
    return shapes


def test_the_default_state_dict_has_the_released_keys_and_shapes():
    with torch.device("meta"):
        state = Transformer(TransformerConfig()).state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == released()
