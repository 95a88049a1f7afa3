"""Attention: one function, `attend`, exact and the fastest there is; and everything that can stand in its place.

interface: how a block calls it. attend: the default. choose: the others by name. sdpa, blocked, short, flash, sage:
kernels, with their limits and packing. cells, patterns, sparse, flex: patterns that leave pairs of tokens out.
reference: what all of them are measured against.
"""

from muybridge.ops.attention.attend import attend
from muybridge.ops.attention.choose import attention_named
from muybridge.ops.attention.interface import Attention, Grid

__all__ = ["Attention", "Grid", "attend", "attention_named"]
