"""Attention: one function, `attend`, exact and the fastest there is; and everything that can stand in its place.

attend: the default, and what such a thing is called with. sdpa, flash, sage: kernels by name. cells, patterns, sparse,
flex: patterns that leave pairs of tokens out. reference: what all of them are measured against. choose: by name.
"""

from muybridge.ops.attention.attend import Attention, Grid, attend

__all__ = ["Attention", "Grid", "attend"]
