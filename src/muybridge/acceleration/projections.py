"""One layer for queries, keys and values where weights have three, as HunyuanVideo-1.5's do."""

from collections.abc import Sequence

import torch
from torch import nn

from muybridge.core.errors import invalid
from muybridge.transformer import Transformer
from muybridge.transformer.blocks import DoubleBlock, SplitDoubleBlock, Stream

STREAMS: tuple[Stream, ...] = ("img", "txt")


def fuse_projections(network: Transformer) -> None:
    """Exchange the double blocks whose queries, keys and values have a layer each for blocks with one layer of all.

    Their tokens are then read once. For inference: nothing undoes it, and the names of the layers are those of fused
    weights. It comes before all else that is applied from outside, which goes by these names. One block's projections
    at a time are in memory twice. Raises InvalidInput where something has been applied already.
    """
    for index, block in enumerate(network.double_blocks):
        if isinstance(block, SplitDoubleBlock):
            network.double_blocks[index] = _fused(block)


def _fused(block: SplitDoubleBlock) -> DoubleBlock:
    width, mlp_dim = block.img_attn_proj.in_features, block.img_mlp.fc1.out_features
    with torch.device("meta"):
        fused = DoubleBlock(width, block.num_heads, mlp_dim)
    for name, _ in list(fused.named_children()):
        kept = getattr(block, name, None)
        if kept is not None:
            fused.add_module(name, kept)
    for stream in STREAMS:
        layers = [block.get_submodule(f"{stream}_attn_{part}") for part in "qkv"]
        fused.add_module(f"{stream}_attn_qkv", _joined(layers))
    return fused.train(block.training)


def _joined(layers: Sequence[nn.Module]) -> nn.Linear:
    """The layers side by side."""
    plain = [layer for layer in layers if type(layer) is nn.Linear]
    if len(plain) < len(layers):
        given = " and ".join(sorted({type(layer).__name__ for layer in layers}))
        raise invalid(f"projections of {given}", "only plain layers can be fused", "fuse them before anything else")
    state = {
        name: torch.cat([layer.get_parameter(name).detach() for layer in plain])
        for name, _ in plain[0].named_parameters()
    }
    with torch.device("meta"):
        joined = nn.Linear(plain[0].in_features, len(state["weight"]), bias="bias" in state)
    joined.requires_grad_(plain[0].weight.requires_grad).load_state_dict(state, assign=True)
    return joined
