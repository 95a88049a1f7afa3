"""Another attention for the blocks of a network, set from outside."""

from collections.abc import Iterator
from typing import Protocol

from torch import nn

from muybridge.ops.attention import Attention, attention_named


class HasBlocks(Protocol):
    """A network that says what its blocks are; those whose streams meet call their `attention`."""

    def blocks(self) -> Iterator[nn.Module]:
        """The blocks in order."""
        ...


def use_attention(network: HasBlocks, name: str) -> None:
    """Let the blocks attend as `ops.attention.attention_named` says: "auto", a kernel's name, or a pattern's.

    All blocks share one, which remembers what it works out for a size. Raises InvalidInput on an unknown name, and
    MissingExtra; a kernel that cannot work on the tensors says so when it is called.
    """
    set_attention(network, attention_named(name))


def set_attention(network: HasBlocks, attention: Attention) -> None:
    """Let the blocks call `attention`."""
    for block in network.blocks():
        block.__dict__["attention"] = attention  # no parameter, buffer or module
