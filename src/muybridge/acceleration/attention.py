"""Another attention for the blocks of a network, set from outside."""

from muybridge.acceleration.network import HasBlocks
from muybridge.ops.attention import Attention, attention_named


def use_attention(network: HasBlocks, name: str) -> None:
    """Let the blocks attend as `ops.attention.attention_named` says: "auto", a kernel's name, or a pattern's.

    All blocks share one, which remembers what it works out for a size. Raises InvalidInput on an unknown name, and
    MissingExtra; a kernel that cannot work on the tensors says so when it is called.
    """
    set_attention(network, attention_named(name))


def set_attention(network: HasBlocks, attention: Attention) -> None:
    """Let the blocks, those whose streams meet, call `attention`."""
    for block in network.blocks():
        block.__dict__["attention"] = attention  # no parameter, buffer or module
