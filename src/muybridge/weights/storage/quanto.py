"""optimum-quanto: int8 and float8 with a scale per row; int4 and int2 packed, with scale and shift per group.

Source: the state dicts that optimum-quanto 0.2.7 saves. Its map of layers says nothing that the tensors do not.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil

import torch
from torch import Tensor

from muybridge.core.errors import WeightsError
from muybridge.ops.codes import FP8
from muybridge.weights.checkpoint import Checkpoint
from muybridge.weights.storage.companions import REMEDY, Entries, by_rows, grouped, required
from muybridge.weights.storage.scales import is_factor, scaled_tensor
from muybridge.weights.stored import Packed, StoredTensor

SUFFIXES = {"._data._data": "grouped", "._data": "whole", "._scale": "scale", "._shift": "shift"}
ACTIVATIONS = (".input_scale", ".output_scale")


def fold(checkpoint: Checkpoint) -> Checkpoint:
    """Every weight in parts as one tensor, in the dtype of its scale; the scales of activations are consumed.

    Raises WeightsError where a part is missing or misshapen.
    """
    entries = dict(checkpoint.entries)
    groups = {key: roles for key, roles in grouped(entries, SUFFIXES).items() if key}
    if not groups:
        return checkpoint
    for key, roles in groups.items():
        is_whole = "whole" in roles
        for suffix in ("._data", "._scale") if is_whole else ("._data._data", "._scale", "._shift"):
            required(entries, key + suffix, of=next(iter(roles.values())))
        parts = {"weight" if role in ("whole", "grouped") else role: entries[name] for role, name in roles.items()}
        folded = _whole(key, parts) if is_whole else _grouped(key, parts, entries)
        for name in (*roles.values(), *(key.removesuffix(".weight") + suffix for suffix in ACTIVATIONS)):
            entries.pop(name, None)
        entries[key] = folded
    return replace(checkpoint, entries=entries)


def _whole(key: str, parts: Mapping[str, StoredTensor]) -> StoredTensor:
    dtype = parts["weight"].dtype
    if dtype != torch.int8 and dtype not in FP8:
        raise WeightsError(f"{parts['weight'].file}: '{key}._data' is {dtype}, neither int8 nor fp8; {REMEDY}.")
    return scaled_tensor(
        key, parts, scheme=f"quanto {'int8' if dtype == torch.int8 else 'fp8'}", dtype=parts["scale"].dtype
    )


def _grouped(key: str, parts: Mapping[str, StoredTensor], entries: Entries) -> StoredTensor:
    """int4 or int2: each row of the packed matrix is a group of the weight's, 8 / bits of them in one byte."""
    data, scale, shift = parts["weight"], parts["scale"], parts["shift"]
    num_groups = scale.num_elements
    bits = next((bits for bits in (4, 2) if len(data.shape) == 2 and data.shape[0] == ceil(num_groups * bits / 8)), 0)
    if not bits or data.dtype != torch.uint8 or shift.num_elements != num_groups or not is_factor(scale):
        raise WeightsError(f"{data.file}: the parts of {key!r} do not fit each other; {REMEDY}.")
    bias = required(entries, key.removesuffix("weight") + "bias", of=f"{key}._data._data")  # the shape stands nowhere
    num_rows = bias.num_elements
    if not num_rows or num_groups % num_rows:
        raise WeightsError(f"{data.file}: {key!r} has {num_groups} groups for {num_rows} rows; {REMEDY}.")
    shape = (num_rows, num_groups // num_rows * data.shape[1])

    def decode(read: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
        packed = read["weight"]
        values = torch.cat([packed >> step & (2**bits - 1) for step in range(0, 8, bits)])[:num_groups]
        factor, offset = read["scale"].float().reshape(-1, 1), read["shift"].reshape(-1, 1)
        if not offset.is_floating_point():  # counted in steps
            offset = factor * offset.to(torch.int8).float()
        groups = (num_groups, packed.shape[1])

        def rows(start: int, stop: int) -> Tensor:
            some = values[start:stop].to(torch.bfloat16).float()  # codes below 16; much faster than at once
            return some.mul_(factor[start:stop]).sub_(offset[start:stop].float())

        return by_rows(groups, dtype, rows, device=packed.device).reshape(shape)

    return Packed(scheme=f"quanto int{bits}", parts=parts, decode=decode).stored(shape, scale.dtype)
