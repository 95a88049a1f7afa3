"""What the schemes share: companions found by their suffix, small JSON tensors, decoding a few rows at a time."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.weights.json_map import json_map
from muybridge.weights.stored import StoredTensor

Entries = Mapping[str, StoredTensor]
REMEDY = "download or save it again"
CHUNK_ELEMENTS = 2**20  # decoded at a time: float32 never holds a whole tensor, and what lies between stays near
_JSON_MAX_BYTES = 2**16


def grouped(entries: Entries, suffixes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Keys of companions by what they belong to and what they are: {"block.linear": {"scale": "block.linear.scale"}}.

    suffixes: what each suffix means. Raises WeightsError where two companions mean the same.
    """
    groups: dict[str, dict[str, str]] = {}
    longest_first = sorted(suffixes, key=len, reverse=True)
    for key in entries:
        suffix = next((suffix for suffix in longest_first if key.endswith(suffix)), None)
        if suffix is None:
            continue
        roles = groups.setdefault(key.removesuffix(suffix), {})
        role = suffixes[suffix]
        if role in roles:
            raise WeightsError(f"{entries[key].file}: {roles[role]!r} and {key!r} both give the {role}; keep one.")
        roles[role] = key
    return groups


def required(entries: Entries, key: str, *, of: str) -> StoredTensor:
    """The entry `key`, without which the entry `of` means nothing. Raises WeightsError where it is missing."""
    if key not in entries:
        raise WeightsError(f"{entries[of].file}: {of!r} belongs to {key!r}, which is missing; {REMEDY}.")
    return entries[key]


def read_json(stored: StoredTensor, key: str) -> dict[str, Any]:
    """The map that a uint8 tensor spells. Raises WeightsError where it spells none."""
    if stored.dtype != torch.uint8 or stored.num_bytes > _JSON_MAX_BYTES:
        raise WeightsError(f"{stored.file}: {key!r} should be a short JSON text in uint8; {REMEDY}.")
    return json_map(bytes(stored.read().flatten().tolist()), f"{stored.file}: {key!r}")


def by_rows(
    shape: tuple[int, int],
    dtype: torch.dtype,
    decode: Callable[[int, int], Tensor],
    *,
    device: torch.device | None = None,
) -> Tensor:
    """A matrix filled a few rows at a time: `decode(start, stop)` gives rows in float32, rounded once to `dtype`."""
    matrix = torch.empty(shape, dtype=dtype, device=device)
    step = max(1, CHUNK_ELEMENTS // max(1, shape[1]))
    for start in range(0, shape[0], step):
        stop = min(start + step, shape[0])
        matrix[start:stop] = decode(start, stop)
    return matrix
