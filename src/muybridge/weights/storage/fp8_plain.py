"""fp8 without scales: the values are what they are (Kijai's fp8_e4m3fn and fp8_e5m2, with the rest in bfloat16)."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from muybridge.ops.codes import FP8, widened
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage.scales import COMPUTE
from muybridge.weights.stored import Packed, StoredTensor


def fold(checkpoint: Checkpoint) -> Checkpoint:
    """Every tensor that is still fp8, as bfloat16; exact, since bfloat16 holds every fp8 value."""
    entries = {key: _widened(entry) if entry.dtype in FP8 else entry for key, entry in checkpoint.entries.items()}
    return replace(checkpoint, entries=entries)


def _widened(stored: StoredTensor) -> StoredTensor:
    scheme = f"fp8 ({str(stored.dtype).removeprefix('torch.float8_')})"
    packed = Packed(scheme=scheme, parts={"weight": stored}, decode=_decode, row_parts=frozenset({"weight"}))
    return packed.stored(stored.shape, COMPUTE)


def _decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
    return widened(read["weight"], dtype)
